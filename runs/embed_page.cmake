# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=page.html -DOUTPUT=page.cpp -P embed_page.cmake: the page as a C++ string.
file(READ ${INPUT} text)
file(WRITE ${OUTPUT} "// Made by runs/embed_page.cmake.
#include \"runs/summary.hpp\"

namespace vergence::runs {

std::string_view summary_page() {
  return R\"PAGE(${text})PAGE\";
}

}  // namespace vergence::runs
")
