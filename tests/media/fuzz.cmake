# SPDX-License-Identifier: Apache-2.0
# bin/fuzz_video, built with libFuzzer and the address sanitizer by clang, whatever compiler builds
# the rest; it runs for some seconds in the tests. For longer runs: bin/fuzz_video FOLDER SEEDS.
# Without clang, and where all is built with sanitizers anyway, the mutations of
# video_reader_test.cpp remain.
if(VERGENCE_SANITIZE)
  return()
endif()
find_program(VERGENCE_CLANG NAMES clang++ clang++-14)
find_program(VERGENCE_FFMPEG ffmpeg)
set(fuzz_flags -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined
  -fno-sanitize=vptr -fno-sanitize-recover=all)
if(VERGENCE_CLANG AND VERGENCE_FFMPEG)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.cpp
    "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
  execute_process(
    COMMAND ${VERGENCE_CLANG} ${fuzz_flags} fuzz_probe.cpp -o fuzz_probe
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    RESULT_VARIABLE fuzz_problem OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT VERGENCE_CLANG OR NOT VERGENCE_FFMPEG OR fuzz_problem)
  message(STATUS "No clang with libFuzzer, or no ffmpeg: the fuzz program for videos is not built")
  return()
endif()

# What is watched while it runs; the rest and FFmpeg come as they are.
set(fuzz_sources media/libav.cpp media/video_color.cpp media/video_facts.cpp media/video_input.cpp
  media/video_reader.cpp tests/media/fuzz_video.cpp)
set(fuzz_objects)
foreach(source ${fuzz_sources})
  string(REPLACE "/" "_" object ${source})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${object}.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/fuzz
    COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${VERGENCE_CLANG} ${fuzz_flags}
            -I${PROJECT_SOURCE_DIR} "-isystem$<JOIN:${OpenCV_INCLUDE_DIRS},;-isystem>"
            -MD -MF ${object}.d -c ${PROJECT_SOURCE_DIR}/${source} -o ${object}
    DEPENDS ${PROJECT_SOURCE_DIR}/${source}
    DEPFILE ${object}.d
    COMMENT "Building ${source} for libFuzzer" COMMAND_EXPAND_LISTS VERBATIM)
  list(APPEND fuzz_objects ${object})
endforeach()
set(fuzz_program ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/fuzz_video)
add_custom_command(OUTPUT ${fuzz_program}
  COMMAND ${VERGENCE_CLANG} ${fuzz_flags} ${fuzz_objects} $<TARGET_FILE:vergence_media>
          $<TARGET_FILE:vergence_core> ${ffmpeg_LINK_LIBRARIES} -lfmt -lspdlog -lopencv_core -lopencv_imgproc
          -Wl,-rpath,$<TARGET_FILE_DIR:vergence_core> -o ${fuzz_program}
  DEPENDS ${fuzz_objects} vergence_media vergence_core
  COMMENT "Linking fuzz_video" VERBATIM)

set(fuzz_seeds)
foreach(seed "a.mp4;libx264" "b.mkv;libx264" "c.mkv;ffv1" "d.ts;mpeg2video")
  list(GET seed 0 name)
  list(GET seed 1 codec)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds/${name})
  add_custom_command(OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds
    COMMAND ${VERGENCE_FFMPEG} -nostdin -v error -y -f lavfi -i testsrc2=size=48x32:duration=0.2
            -c:v ${codec} ${file}
    COMMENT "Making the fuzz seed ${name}" VERBATIM)
  list(APPEND fuzz_seeds ${file})
endforeach()
add_custom_target(fuzz_video ALL DEPENDS ${fuzz_program} ${fuzz_seeds})

set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found)
file(MAKE_DIRECTORY ${found})
add_test(NAME media/Fuzz.video
  COMMAND ${fuzz_program} -max_total_time=10 -timeout=20 -rss_limit_mb=3000 -max_len=30000
          -print_final_stats=1 -artifact_prefix=${found}_ ${found}
          ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds)
set_tests_properties(media/Fuzz.video PROPERTIES LABELS unit TIMEOUT 120
  ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
