// SPDX-License-Identifier: Apache-2.0
// Writes the tiny TorchScript networks that torchscript_test.cpp reads: make_torchscript_files DIR
#include <filesystem>
#include <string>

#include <caffe2/serialize/inline_container.h>
#include <torch/script.h>

namespace {

void save(const std::filesystem::path& folder, const std::string& name, const std::string& code) {
  torch::jit::Module module("Net");
  module.define(code);
  module.save((folder / (name + ".pt")).string());
}

// The network `name` as another version of LibTorch might have written it: with an operator that
// this one lacks.
void save_with_unknown_operator(const std::filesystem::path& folder, const std::string& name) {
  caffe2::serialize::PyTorchStreamReader reader((folder / (name + ".pt")).string());
  caffe2::serialize::PyTorchStreamWriter writer((folder / "unknown_operator.pt").string());
  for (const auto& record : reader.getAllRecords()) {
    if (record == "version" || record == "byteorder" || record.starts_with(".data/")) continue;
    const auto [data, size] = reader.getRecord(record);
    std::string text(static_cast<const char*>(data.get()), size);
    const std::string known = "torch.slice";
    for (auto at = text.find(known); at != std::string::npos; at = text.find(known)) {
      text.replace(at, known.size(), "torch.zlice");
    }
    writer.writeRecord(record, text.data(), text.size());
  }
  writer.writeEndOfFile();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  // The value of one channel, or a sum that tells the channels and pixels apart.
  save(folder, "first_channel", "def forward(self, x):\n  return x[:, 0]\n");
  save(folder, "weighted_sum",
       "def forward(self, x):\n  return 100.0 * x[:, 0:1] + 10.0 * x[:, 1:2] + x[:, 2:3]\n");
  save(folder, "half_size", "def forward(self, x):\n  return x[:, 0, ::2, ::2]\n");
  save(folder, "tuple",
       "def forward(self, x):\n  return (x[:, 0] * 0.0, x[:, 1], x[:, 2].sum())\n");
  save(folder, "list", "def forward(self, x):\n  return [x[:, 0], x[:, 1]]\n");
  save(folder, "dict",
       "def forward(self, x):\n  return {\"depth\": x[:, 2:3], \"mask\": x[:, 0:1]}\n");
  save(folder, "single_map", "def forward(self, x):\n  return x[0, 1]\n");
  save(folder, "doubles", "def forward(self, x):\n  return x[:, 0].double()\n");
  save(folder, "three_maps", "def forward(self, x):\n  return x\n");
  save(folder, "number", "def forward(self, x):\n  return 3\n");
  save(folder, "two_inputs", "def forward(self, x, y):\n  return x + y\n");
  save(folder, "wants_64",
       "def forward(self, x):\n"
       "  return x[:, 0] + torch.zeros([1, 64, 64])\n");
  save(folder, "raises",
       "def forward(self, x):\n"
       "  assert x.size(0) == 99, \"not today\"\n"
       "  return x\n");
  save_with_unknown_operator(folder, "half_size");
  return 0;
}
