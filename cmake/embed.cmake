# SPDX-License-Identifier: Apache-2.0
# cmake -DROOT=configs -DFILES=a.toml;b.toml -DROOM=config -DFUNCTION=embedded_files -DHEADER=x.hpp
#       -DOUTPUT=x.cpp -P embed.cmake: the TOML FILES, which lie below ROOT, as a C++ source that
# defines FUNCTION() -> span of EmbeddedFile {name, text}.
list(SORT FILES)
set(entries "")
foreach(file ${FILES})
  file(READ ${file} text)
  file(RELATIVE_PATH name ${ROOT} ${file})
  string(REGEX REPLACE "\\.toml$" "" name ${name})
  string(APPEND entries "    {\"${name}\", R\"TOML(${text})TOML\"},\n")
endforeach()
list(LENGTH FILES count)
file(WRITE ${OUTPUT} "// Made by cmake/embed.cmake.
#include \"${HEADER}\"

#include <array>

namespace vergence::${ROOM} {

std::span<const EmbeddedFile> ${FUNCTION}() {
  static constexpr std::array<EmbeddedFile, ${count}> kFiles = {{
${entries}  }};
  return kFiles;
}

}  // namespace vergence::${ROOM}
")
