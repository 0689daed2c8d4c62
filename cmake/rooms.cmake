# SPDX-License-Identifier: Apache-2.0
# vergence_add_room(NAME SOURCES ... [HEADERS ...] [PUBLIC libs...] [PRIVATE libs...])
#   One shared library per room, target vergence_NAME (alias Vergence::NAME). HEADERS are installed.
# vergence_add_module(NAME SOURCES ... [PRIVATE libs...])
#   A shared object that is loaded on first use (core/module.hpp) because its libraries cost start-up
#   time: target vergence_module_NAME, file lib/vergence/NAME.so.
# vergence_add_tests(ROOM SOURCES ... [PRIVATE libs...] [LABELS ...] [LOCK name] [APART regex])
#   One GoogleTest program per room, of which CTest runs each suite in a process (suites.cmake). Tests
#   named like APART, SUITE.TEST, have one each, as all with the label slow: those that take seconds,
#   so that all cores have work, or that need a fresh process. Processes of one LOCK take turns.
function(vergence_add_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  set(target vergence_${name})
  add_library(${target} SHARED ${arg_SOURCES})
  add_library(Vergence::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/vergence>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target}
    PUBLIC ${arg_PUBLIC} PRIVATE $<BUILD_INTERFACE:vergence_compiler> ${arg_PRIVATE})
  foreach(header ${arg_HEADERS})
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vergence/${name})
  endforeach()
  install(TARGETS ${target} EXPORT VergenceTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

function(vergence_add_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;PRIVATE" ${ARGN})
  set(target vergence_module_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/vergence)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE vergence_compiler ${arg_PRIVATE})
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/vergence)
  set_property(GLOBAL APPEND PROPERTY VERGENCE_MODULES ${target})
endfunction()

function(vergence_add_tests room)
  cmake_parse_arguments(arg "" "LOCK;APART" "SOURCES;PRIVATE;LABELS" ${ARGN})
  set(target ${room}_tests)
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE vergence_compiler vergence_test_support ${arg_PRIVATE})
  # As the precompiled header of the support library was made.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_precompile_headers(${target} REUSE_FROM vergence_test_support)
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  set(lock)
  if(arg_LOCK)
    set(lock RESOURCE_LOCK ${arg_LOCK})
  endif()
  if("slow" IN_LIST arg_LABELS)
    set(arg_APART ".")
  endif()
  set(tests ${CMAKE_CURRENT_BINARY_DIR}/${target}.cmake)
  # Properties lose their semicolons on the way, so that each carries one value only.
  file(GENERATE OUTPUT ${tests} CONTENT "include([==[${PROJECT_SOURCE_DIR}/cmake/suites.cmake]==])
vergence_add_suites(${room} [==[$<TARGET_FILE:${target}>]==]
  [==[${CMAKE_CURRENT_BINARY_DIR}/${target}.txt]==] [==[${arg_APART}]==]
  LABELS ${arg_LABELS} TIMEOUT 1200 ${lock} WORKING_DIRECTORY [==[${CMAKE_CURRENT_BINARY_DIR}]==]
  ENVIRONMENT [==[VERGENCE_SOURCE_DIR=${PROJECT_SOURCE_DIR}]==]
  ENVIRONMENT_MODIFICATION [==[VERGENCE_BINARY_DIR=set:${PROJECT_BINARY_DIR}]==])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${tests})
endfunction()
