# SPDX-License-Identifier: Apache-2.0
# bin/fuzz_video and bin/fuzz_photo run for some seconds in the tests. For longer runs:
# bin/fuzz_photo FOLDER SEEDS.
# Where it cannot be built, the mutations of video_reader_test.cpp and stereo_photo_test.cpp remain.

vergence_add_fuzz_program(fuzz_photo
  SOURCES media/heif_group.cpp media/jpeg_segments.cpp media/metadata.cpp media/mp4_boxes.cpp
          media/multi_picture.cpp media/photo_tags.cpp media/stereo_photo_reader.cpp media/xmp.cpp
          tests/media/fuzz_photo.cpp
  LIBRARIES vergence_media vergence_core vergence_base
  LINK ${exempi_LINK_LIBRARIES} ${libexif_LINK_LIBRARIES} -lfmt -lspdlog -lopencv_core
  INCLUDES ${exempi_INCLUDE_DIRS}
  FLAGS -fno-sanitize=vptr)
if(VERGENCE_FUZZ_PROGRAM)
  set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found_photo)
  file(MAKE_DIRECTORY ${found})
  add_test(NAME media/Fuzz.photo
    COMMAND ${VERGENCE_FUZZ_PROGRAM} -max_total_time=10 -timeout=20 -rss_limit_mb=3000 -max_len=20000
            -print_final_stats=1 -artifact_prefix=${found}_ ${found}
            ${PROJECT_SOURCE_DIR}/tests/data/photos)
  set_tests_properties(media/Fuzz.photo PROPERTIES LABELS unit TIMEOUT 120
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
endif()

find_program(VERGENCE_FFMPEG ffmpeg)
if(NOT VERGENCE_FFMPEG)
  message(STATUS "No ffmpeg to make seeds with: 'fuzz_video' is not built")
  return()
endif()
vergence_add_fuzz_program(fuzz_video
  SOURCES media/libav.cpp media/video_color.cpp media/video_facts.cpp media/video_input.cpp
          media/video_reader.cpp tests/media/fuzz_video.cpp
  LIBRARIES vergence_media vergence_core vergence_base
  LINK ${ffmpeg_LINK_LIBRARIES} -lfmt -lspdlog -lopencv_core -lopencv_imgproc
  FLAGS -fno-sanitize=vptr)
if(NOT VERGENCE_FUZZ_PROGRAM)
  return()
endif()

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
add_custom_target(fuzz_video_seeds ALL DEPENDS ${fuzz_seeds})

set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found)
file(MAKE_DIRECTORY ${found})
add_test(NAME media/Fuzz.video
  COMMAND ${VERGENCE_FUZZ_PROGRAM} -max_total_time=10 -timeout=20 -rss_limit_mb=3000 -max_len=30000
          -print_final_stats=1 -artifact_prefix=${found}_ ${found}
          ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds)
set_tests_properties(media/Fuzz.video PROPERTIES LABELS unit TIMEOUT 120
  ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")

# bin/fuzz_tags: the tags of MP4 and JPEG files, read and changed.
vergence_add_fuzz_program(fuzz_tags
  SOURCES media/mp4_boxes.cpp media/mp4_patch.cpp media/spatial_media.cpp media/jpeg_tags.cpp
          media/jpeg_segments.cpp tests/media/fuzz_tags.cpp
  LIBRARIES vergence_media vergence_core vergence_base
  LINK -lfmt -lspdlog -lopencv_core
  FLAGS -fno-sanitize=vptr)
set(tag_seeds)
foreach(seed "end.mp4;-c:v;libx264" "front.mp4;-c:v;libx264;-movflags;+faststart"
             "roomy.mp4;-c:v;libx264;-moov_size;6000" "photo.jpg;-frames:v;1")
  list(POP_FRONT seed name)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/fuzz/tag_seeds/${name})
  add_custom_command(OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/fuzz/tag_seeds
    COMMAND ${VERGENCE_FFMPEG} -nostdin -v error -y -f lavfi -i testsrc2=size=48x32:duration=0.2
            ${seed} ${file}
    COMMENT "Making the fuzz seed ${name}" VERBATIM)
  list(APPEND tag_seeds ${file})
endforeach()
add_custom_target(fuzz_tags_seeds ALL DEPENDS ${tag_seeds})
set(found_tags ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found_tags)
file(MAKE_DIRECTORY ${found_tags})
add_test(NAME media/Fuzz.tags
  COMMAND ${VERGENCE_FUZZ_PROGRAM} -max_total_time=10 -timeout=20 -rss_limit_mb=3000 -max_len=30000
          -print_final_stats=1 -artifact_prefix=${found_tags}_ ${found_tags}
          ${CMAKE_CURRENT_BINARY_DIR}/fuzz/tag_seeds)
set_tests_properties(media/Fuzz.tags PROPERTIES LABELS unit TIMEOUT 120
  ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
