# SPDX-License-Identifier: Apache-2.0
# bin/fuzz_predictors, built with libFuzzer and the address sanitizer by clang, whatever compiler
# builds the rest; each target runs for some seconds in the tests. For longer runs:
#   VERGENCE_FUZZ_TARGET=pickle bin/fuzz_predictors FOLDER tests/data/checkpoints/pickle
# Without clang, and where all is built with sanitizers anyway, the mutations of fuzz_test.cpp remain.
if(VERGENCE_SANITIZE)
  return()
endif()
find_program(VERGENCE_CLANG NAMES clang++ clang++-14)
# toml++ 3.3 calls unreachable what letters beyond ASCII outside of strings do reach.
set(fuzz_flags -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined
  -fno-sanitize=vptr,unreachable -fno-sanitize-recover=all)
if(VERGENCE_CLANG)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.cpp
    "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
  execute_process(
    COMMAND ${VERGENCE_CLANG} ${fuzz_flags} fuzz_probe.cpp -o fuzz_probe
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    RESULT_VARIABLE fuzz_problem OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT VERGENCE_CLANG OR fuzz_problem)
  message(STATUS "No clang with libFuzzer: the fuzz programs are not built")
  return()
endif()

# What is watched while it runs; the rest comes from the libraries as they are.
set(fuzz_sources predictors/card_reader.cpp predictors/model_card.cpp predictors/safetensors.cpp
  predictors/weight_file.cpp predictors/weights.cpp predictors/checkpoint/torch_checkpoint.cpp
  predictors/checkpoint/unpickler.cpp predictors/checkpoint/zip_archive.cpp
  tests/predictors/fuzz_main.cpp tests/predictors/fuzz_targets.cpp)
set(fuzz_objects)
foreach(source ${fuzz_sources})
  string(REPLACE "/" "_" object ${source})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${object}.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/fuzz
    COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${VERGENCE_CLANG} ${fuzz_flags}
            -I${PROJECT_SOURCE_DIR} "-isystem$<JOIN:${OpenCV_INCLUDE_DIRS},;-isystem>"
            "-isystem${EIGEN3_INCLUDE_DIR}" -MD -MF ${object}.d
            -c ${PROJECT_SOURCE_DIR}/${source} -o ${object}
    DEPENDS ${PROJECT_SOURCE_DIR}/${source}
    DEPFILE ${object}.d
    COMMENT "Building ${source} for libFuzzer" COMMAND_EXPAND_LISTS VERBATIM)
  list(APPEND fuzz_objects ${object})
endforeach()
set(fuzz_program ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/fuzz_predictors)
add_custom_command(OUTPUT ${fuzz_program}
  COMMAND ${VERGENCE_CLANG} ${fuzz_flags} ${fuzz_objects} $<TARGET_FILE:vergence_predictors>
          $<TARGET_FILE:vergence_core> -lfmt -lopencv_core
          -Wl,-rpath,$<TARGET_FILE_DIR:vergence_core> -o ${fuzz_program}
  DEPENDS ${fuzz_objects} vergence_predictors vergence_core
  COMMENT "Linking fuzz_predictors" VERBATIM)
add_custom_target(fuzz_predictors ALL DEPENDS ${fuzz_program})

foreach(target safetensors zip_checkpoint legacy_checkpoint pickle model_card)
  string(REPLACE "_checkpoint" "" seeds ${PROJECT_SOURCE_DIR}/tests/data/checkpoints/${target})
  if(target STREQUAL model_card)
    # Not the folder itself: it also holds weights.
    set(seeds ${CMAKE_CURRENT_BINARY_DIR}/fuzz/cards)
    file(GLOB fuzz_cards ${PROJECT_SOURCE_DIR}/models/*.toml)
    file(COPY ${fuzz_cards} DESTINATION ${seeds})
  endif()
  set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found_${target})
  file(MAKE_DIRECTORY ${found})
  add_test(NAME predictors/Fuzz.${target}
    COMMAND ${fuzz_program} -max_total_time=5 -timeout=5 -rss_limit_mb=1500 -max_len=20000
            -print_final_stats=1 -artifact_prefix=${found}_ ${found} ${seeds})
  set_tests_properties(predictors/Fuzz.${target} PROPERTIES LABELS unit TIMEOUT 60
    ENVIRONMENT "VERGENCE_FUZZ_TARGET=${target};ASAN_OPTIONS=detect_leaks=0")
endforeach()
