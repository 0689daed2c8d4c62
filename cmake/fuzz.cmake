# SPDX-License-Identifier: Apache-2.0
# vergence_add_fuzz_program(NAME SOURCES ... LIBRARIES targets... [LINK flags...] [INCLUDES dirs...]
#                           [FLAGS flags...])
#   bin/NAME, built with libFuzzer and the address sanitizer by clang, whatever compiler builds the
#   rest: SOURCES (from the root) are watched while it runs, all else comes from the LIBRARIES as
#   they are. Sets VERGENCE_FUZZ_PROGRAM and the custom target NAME; the variable is empty, with a
#   word why, where there is no such clang or all is built with sanitizers anyway.
find_program(VERGENCE_CLANG NAMES clang++ clang++-14)
set(VERGENCE_FUZZ_FLAGS -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined
  -fno-sanitize-recover=all)

# Whether that clang can link such a program at all.
function(vergence_probe_fuzzing result)
  set(${result} FALSE PARENT_SCOPE)
  if(VERGENCE_SANITIZE OR NOT VERGENCE_CLANG)
    return()
  endif()
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe.cpp
    "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
  execute_process(
    COMMAND ${VERGENCE_CLANG} ${VERGENCE_FUZZ_FLAGS} fuzz_probe.cpp -o fuzz_probe
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    RESULT_VARIABLE problem OUTPUT_QUIET ERROR_QUIET)
  if(NOT problem)
    set(${result} TRUE PARENT_SCOPE)
  endif()
endfunction()

function(vergence_add_fuzz_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES;LINK;INCLUDES;FLAGS" ${ARGN})
  set(VERGENCE_FUZZ_PROGRAM "" PARENT_SCOPE)
  vergence_probe_fuzzing(possible)
  if(NOT possible)
    message(STATUS "No clang with libFuzzer, or a build with sanitizers: '${name}' is not built")
    return()
  endif()
  set(flags ${VERGENCE_FUZZ_FLAGS} ${arg_FLAGS})
  set(systems ${OpenCV_INCLUDE_DIRS} ${arg_INCLUDES})
  set(objects)
  foreach(source ${arg_SOURCES})
    string(REPLACE "/" "_" object ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${name}_${object}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${name}
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${VERGENCE_CLANG} ${flags} -I${PROJECT_SOURCE_DIR}
              "-isystem$<JOIN:${systems},;-isystem>" -MD -MF ${object}.d
              -c ${PROJECT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${PROJECT_SOURCE_DIR}/${source}
      DEPFILE ${object}.d
      COMMENT "Building ${source} for libFuzzer" COMMAND_EXPAND_LISTS VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(libraries)
  foreach(library ${arg_LIBRARIES})
    list(APPEND libraries $<TARGET_FILE:${library}>)
  endforeach()
  set(program ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name})
  add_custom_command(OUTPUT ${program}
    COMMAND ${VERGENCE_CLANG} ${flags} ${objects} ${libraries} ${arg_LINK}
            -Wl,-rpath,${CMAKE_LIBRARY_OUTPUT_DIRECTORY} -o ${program}
    DEPENDS ${objects} ${arg_LIBRARIES}
    COMMENT "Linking ${name}" COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${program})
  set(VERGENCE_FUZZ_PROGRAM ${program} PARENT_SCOPE)
endfunction()
