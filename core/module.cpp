// SPDX-License-Identifier: Apache-2.0
#include "core/module.hpp"

#include "core/error.hpp"

#include <filesystem>
#include <map>
#include <mutex>

#include <dlfcn.h>
#include <fmt/format.h>

namespace vergence {
namespace {

std::mutex g_mutex;

std::map<std::string, void*>& handles() {
  static std::map<std::string, void*> opened;
  return opened;
}

std::filesystem::path module_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&module_loaded), &info) == 0) return "vergence";
  return std::filesystem::canonical(info.dli_fname).parent_path() / "vergence";
}

}  // namespace

void* module_symbol(const std::string& name, const std::string& symbol) {
  const std::scoped_lock lock(g_mutex);
  void*& handle = handles()[name];
  if (handle == nullptr) {
    const auto path = module_folder() / (name + ".so");
    handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      throw Error(fmt::format("cannot load the module '{}': {}", path.string(), ::dlerror()))
          .hint("build or install Vergence again");
    }
  }
  void* address = ::dlsym(handle, symbol.c_str());
  if (address == nullptr) {
    throw Error(fmt::format("the module '{}' has no '{}'", name, symbol))
        .hint("it belongs to another version: build or install Vergence again");
  }
  return address;
}

bool module_loaded(const std::string& name) {
  const std::scoped_lock lock(g_mutex);
  const auto found = handles().find(name);
  return found != handles().end() && found->second != nullptr;
}

}  // namespace vergence
