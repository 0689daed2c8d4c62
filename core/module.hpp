// SPDX-License-Identifier: Apache-2.0
// Loadable modules: LibTorch and Open3D take 0.5-0.8 s just to be mapped, so the code that needs
// them lives in shared objects that are opened on first use.
#pragma once

#include <string>

namespace vergence {

// The address of `symbol` (an extern "C" function) in module `name` ("torch" ->
// lib/vergence/torch.so, looked for beside the library that holds this function, so that the build
// tree, an installation and a moved installation all work). Opened once per process and kept.
// Throws Error naming the file and the loader's reason.
[[nodiscard]] void* module_symbol(const std::string& name, const std::string& symbol);

// Whether the module was opened already.
[[nodiscard]] bool module_loaded(const std::string& name);

}  // namespace vergence
