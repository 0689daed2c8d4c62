# SPDX-License-Identifier: Apache-2.0
# Everything that is said to the compiler, once. Hangs on the target vergence_compiler, not on globals.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# One layout for the build tree and the installation, so that relative look-ups (RPATH, loadable
# modules) are the same in both: bin/vergence, lib/libvergence_*.so, lib/vergence/*.so.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN;$ORIGIN/..;$ORIGIN/../lib")

find_program(VERGENCE_CCACHE ccache)
if(VERGENCE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers carry time stamps that ccache would otherwise refuse to look behind.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${VERGENCE_CCACHE})
endif()

add_library(vergence_compiler INTERFACE)
target_compile_options(vergence_compiler INTERFACE
  -Wall -Wextra -Wshadow -Wconversion
  # GCC 12 sees overlapping copies in std::string's own operator+ (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
target_compile_definitions(vergence_compiler INTERFACE
  $<$<BOOL:${VERGENCE_ASSERTIONS}>:VERGENCE_ASSERTIONS=1>)
if(VERGENCE_SANITIZE)
  target_compile_options(vergence_compiler INTERFACE
    -fsanitize=${VERGENCE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize=vptr
    # GCC 12 takes what the sanitizers add in <regex> for uses of unset values (GCC bug 105562).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(vergence_compiler INTERFACE -fsanitize=${VERGENCE_SANITIZE})
endif()
