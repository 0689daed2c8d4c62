# SPDX-License-Identifier: Apache-2.0
# Included by CTest when it looks for tests (see vergence_add_tests): tells it the processes in which
# a GoogleTest program runs. Starting one may cost half a second, so that it runs a whole suite, with
# all parameters: ROOM/SUITE. Tests whose name, SUITE.TEST, matches APART have a process each,
# ROOM/SUITE.TEST, and start first; with VERGENCE_EACH_TEST in the environment that is every test.
#
# With VERGENCE_TEST_REPORTS in the environment, each process NAME writes its outcomes to NAME.xml in
# that folder, and NAME.tests says which tests it has to tell about (scripts/test_summary.py).

# The names of all tests, SUITE.TEST, in `result`, empty where the program does not tell them; asks it
# only after it has changed.
function(vergence_list_tests program list result)
  set(${result} "" PARENT_SCOPE)
  if(${program} IS_NEWER_THAN ${list})
    execute_process(COMMAND ${program} --gtest_list_tests
      OUTPUT_VARIABLE text RESULT_VARIABLE problem TIMEOUT 120)
    if(problem)
      return()
    endif()
    # What follows # are values of parameters, with any characters.
    string(REGEX REPLACE " +#[^\n]*" "" text "${text}")
    file(WRITE ${list} "${text}")
  endif()
  file(STRINGS ${list} lines REGEX "^  |\\.$")
  set(tests)
  foreach(line ${lines})
    if(line MATCHES "^  (.*)")
      list(APPEND tests "${suite}${CMAKE_MATCH_1}")
    else()
      set(suite ${line})
    endif()
  endforeach()
  set(${result} "${tests}" PARENT_SCOPE)
endfunction()

# One process, `filter` as for --gtest_filter; the tests in it follow.
function(vergence_add_process name filter cost)
  set(report)
  if(DEFINED ENV{VERGENCE_TEST_REPORTS})
    set(report "$ENV{VERGENCE_TEST_REPORTS}/${name}")
    list(JOIN ARGN "\n" tests)
    file(WRITE "${report}.tests" "${tests}\n")
    set(report "--gtest_output=xml:${report}.xml")
  endif()
  add_test(${name} ${program} "--gtest_filter=${filter}" ${report})
  set_tests_properties(${name} PROPERTIES COST ${cost} ${properties})
endfunction()

# vergence_add_suites(ROOM PROGRAM LIST APART PROPERTIES...): LIST is a file to keep the names in.
function(vergence_add_suites room program list apart)
  set(properties ${ARGN})
  if(DEFINED ENV{VERGENCE_EACH_TEST})
    set(apart ".")
  endif()
  vergence_list_tests(${program} ${list} tests)
  if(NOT tests)
    add_test(${room}_NOT_BUILT ${room}_NOT_BUILT)  # fails, as there is no such program
    return()
  endif()
  set(suites)
  foreach(test ${tests})
    string(REGEX REPLACE "\\.[^.]*$" "" instance ${test})
    if(apart AND test MATCHES "${apart}")
      vergence_add_process(${room}/${test} ${test} 1000 ${test})
      list(APPEND excluded_${instance} ${test})
      continue()
    endif()
    # INSTANCE/SUITE.TEST/VALUE, or SUITE/NUMBER.TEST where types are parameters.
    string(REGEX REPLACE "/[0-9]+$" "" suite ${instance})
    string(REGEX REPLACE "^.*/" "" suite ${suite})
    list(APPEND suites ${suite})
    list(APPEND instances_${suite} ${instance})
    list(APPEND tests_${suite} ${test})
  endforeach()
  list(REMOVE_DUPLICATES suites)
  foreach(suite ${suites})
    list(REMOVE_DUPLICATES instances_${suite})
    set(wanted)
    set(unwanted)
    foreach(instance ${instances_${suite}})
      list(APPEND wanted "${instance}.*")
      list(APPEND unwanted ${excluded_${instance}})
    endforeach()
    list(JOIN wanted ":" filter)
    if(unwanted)
      list(JOIN unwanted ":" unwanted)
      string(APPEND filter "-${unwanted}")
    endif()
    # The most tests first, so that no long suite begins last.
    list(LENGTH tests_${suite} cost)
    vergence_add_process(${room}/${suite} "${filter}" ${cost} ${tests_${suite}})
  endforeach()
endfunction()
