# SPDX-License-Identifier: Apache-2.0
# cmake -DROOT=configs -DFILES=a.toml;b.toml -DOUTPUT=x.cpp -P embed.cmake: FILES, which lie below
# ROOT, as a C++ source.
list(SORT FILES)
set(entries "")
foreach(file ${FILES})
  file(READ ${file} text)
  file(RELATIVE_PATH name ${ROOT} ${file})
  string(REGEX REPLACE "\\.toml$" "" name ${name})
  string(APPEND entries "    {\"${name}\", R\"TOML(${text})TOML\"},\n")
endforeach()
list(LENGTH FILES count)
file(WRITE ${OUTPUT} "// Made by config/embed.cmake.
#include \"config/search_path.hpp\"

#include <array>

namespace vergence::config {

std::span<const EmbeddedFile> embedded_files() {
  static constexpr std::array<EmbeddedFile, ${count}> kFiles = {{
${entries}  }};
  return kFiles;
}

}  // namespace vergence::config
")
