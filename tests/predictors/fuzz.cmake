# SPDX-License-Identifier: Apache-2.0
# bin/fuzz_predictors: each target runs for some seconds in the tests. For longer runs:
#   VERGENCE_FUZZ_TARGET=pickle bin/fuzz_predictors FOLDER tests/data/checkpoints/pickle
# Where it cannot be built, the mutations of fuzz_test.cpp remain.
# toml++ 3.3 calls unreachable what letters beyond ASCII outside of strings do reach.
vergence_add_fuzz_program(fuzz_predictors
  SOURCES core/zip_archive.cpp predictors/card_reader.cpp predictors/model_card.cpp
          predictors/safetensors.cpp predictors/weight_file.cpp predictors/weights.cpp
          predictors/checkpoint/torch_checkpoint.cpp predictors/checkpoint/unpickler.cpp
          tests/predictors/fuzz_main.cpp tests/predictors/fuzz_targets.cpp
  LIBRARIES vergence_predictors vergence_core vergence_base
  LINK -lfmt -lopencv_core
  INCLUDES ${EIGEN3_INCLUDE_DIR}
  FLAGS -fno-sanitize=vptr,unreachable)
if(NOT VERGENCE_FUZZ_PROGRAM)
  return()
endif()

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
    COMMAND ${VERGENCE_FUZZ_PROGRAM} -max_total_time=5 -timeout=5 -rss_limit_mb=1500 -max_len=20000
            -print_final_stats=1 -artifact_prefix=${found}_ ${found} ${seeds})
  set_tests_properties(predictors/Fuzz.${target} PROPERTIES LABELS unit TIMEOUT 60
    ENVIRONMENT "VERGENCE_FUZZ_TARGET=${target};ASAN_OPTIONS=detect_leaks=0")
endforeach()
