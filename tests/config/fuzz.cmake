# SPDX-License-Identifier: Apache-2.0
# bin/fuzz_override runs for some seconds in the tests. For longer runs: bin/fuzz_override FOLDER.
# Where it cannot be built, the random arguments of fuzz_test.cpp remain.
# toml++ 3.3 calls unreachable what letters beyond ASCII outside of strings do reach.
vergence_add_fuzz_program(fuzz_override
  SOURCES config/completion.cpp config/composer.cpp config/defaults.cpp config/function.cpp
          config/interpolation.cpp config/override.cpp config/sweep.cpp config/toml_file.cpp
          config/value.cpp config/word.cpp tests/config/fuzz_override.cpp
  LIBRARIES vergence_config vergence_base
  LINK -lfmt -ltomlplusplus
  FLAGS -fno-sanitize=vptr,unreachable)
if(NOT VERGENCE_FUZZ_PROGRAM)
  return()
endif()

set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found)
set(seeds ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds)
file(MAKE_DIRECTORY ${found} ${seeds})
file(WRITE ${seeds}/values "mesh.edges=keep\n++a.b=[1,{k:'v'}]\nl+=[x]\nthreads=\"4\"\n~t.n\nl.1.a=7\n")
file(WRITE ${seeds}/groups "mesh=quest\n+predictor@left=files\npreset=preview\n~views\n")
file(WRITE ${seeds}/sweeps "threads=1,2\nmesh=glob(d*,exclude=x)\na=sort(choice(b,a))\nb=range(0,1,0.25)\n")
file(WRITE ${seeds}/texts "+a=\${l.1.a}_\${env:NO,\${t.n}}\n+b=\${select:t.no,[1]}\n+c=a\\,b\n")
add_test(NAME config/Fuzz.override
  COMMAND ${VERGENCE_FUZZ_PROGRAM} -max_total_time=10 -timeout=5 -rss_limit_mb=1500 -max_len=400
          -len_control=0
          -print_final_stats=1 -dict=${CMAKE_CURRENT_SOURCE_DIR}/override.dict
          -artifact_prefix=${found}_ ${found} ${seeds})
set_tests_properties(config/Fuzz.override PROPERTIES LABELS unit TIMEOUT 60
  ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
