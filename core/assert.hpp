// SPDX-License-Identifier: Apache-2.0
// VERGENCE_ASSERT states an invariant of our own code. It is checked in the dev and asan presets
// and compiled out in release; wrong input is never an assertion but an Error.
#pragma once

#ifdef VERGENCE_ASSERTIONS
#include <cstdio>
#include <cstdlib>
#define VERGENCE_ASSERT(condition)                                                           \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
#else
#define VERGENCE_ASSERT(condition) static_cast<void>(0)
#endif
