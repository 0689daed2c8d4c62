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

// Networks with further inputs and outputs, for which cards have words.
void save_camera_networks(const std::filesystem::path& folder) {
  save(folder, "times_input", "def forward(self, x, f):\n  return x[:, 0] * f\n");
  save(folder, "times_number", "def forward(self, x, f: float):\n  return x[:, 0] * f\n");
  save(folder, "times_count", "def forward(self, x, n: int):\n  return x[:, 0] * n\n");
  // All nine numbers of a camera matrix, one per column; and of a batch of matrices.
  save(folder, "camera_matrix",
       "def forward(self, x, k):\n"
       "  return k.reshape([1, 1, 9]).expand(1, x.size(2), 9)\n");
  save(folder, "camera_batch",
       "def forward(self, x, k):\n"
       "  return k[:, 0, 0].reshape([-1, 1, 1]) + x[:, 0] * 0.0\n");
  save(folder, "two_extras",
       "def forward(self, x, f, n):\n"
       "  return x[:, 0] * 0.0 + f * 1000.0 + n\n");
  // Depth 5, with one more value: where x is above 0.5.
  save(folder, "with_sky",
       "def forward(self, x):\n"
       "  d = x[:, 1:2] * 10.0\n"
       "  return {\"depth\": d, \"sky\": x[:, 0:1], \"conf\": x[:, 2], \"mask\": x[:, 2] > 0.1,\n"
       "          \"n\": x}\n");
  save(folder, "columns",
       "def forward(self, x):\n"
       "  return torch.ones_like(x[:, 0]).cumsum(2)\n");
  // Fails at any other size than 64 x 64, as traced networks do.
  save(folder, "reshapes_64", "def forward(self, x):\n  return x[:, 0].reshape([1, 64, 64])\n");
}

// Networks as docs/models/ exports them, with results that can be told beforehand.
void save_documented_networks(const std::filesystem::path& folder) {
  // Takes values of -1 to 1 and gives metres.
  save(folder, "zoedepth",
       "def forward(self, x):\n"
       "  return x[:, 0:1] * 5.0 + 5.0\n");
  save(folder, "depth_pro",
       "def forward(self, x):\n"
       "  return (x[:, 0:1] * 0.25 + 0.25, torch.ones([1, 1]))\n");
  save(folder, "metric3d_v2",
       "def forward(self, x):\n"
       "  d = torch.ones_like(x[:, 0:1]) * 12.0\n"
       "  return (d, d * 0.0 + 1.0, x)\n");
  // A slanted plane seen by a camera of 1.25 widths, without a shift of 0.7 along z.
  save(folder, "moge2",
       "def forward(self, x, num_tokens):\n"
       "  h = x.size(2)\n"
       "  w = x.size(3)\n"
       "  u = ((torch.arange(w) + 0.5) / w - 0.5).reshape([1, 1, w]).expand(1, h, w)\n"
       "  v = (((torch.arange(h) + 0.5) / h - 0.5) * 0.75).reshape([1, h, 1]).expand(1, h, w)\n"
       "  z = 2.0 / (1.0 - 0.8 * u - 0.4 * v)\n"
       "  points = torch.stack([u / 1.25 * z, v / 1.25 * z, z - 0.7], 3)\n"
       "  scale = num_tokens.reshape([1]).float() / 600.0\n"
       "  return {\"points\": points, \"mask\": (u > -0.4).float(), \"metric_scale\": scale,\n"
       "          \"normal\": points}\n");
  save(folder, "unidepth_v2",
       "def forward(self, x, k):\n"
       "  one = torch.ones_like(x[:, 0:1])\n"
       "  points = torch.cat([one * k[0, 2], one * k[1, 2], one * k[0, 0] / k[1, 1] * 4.0], 1)\n"
       "  return (points, one)\n");
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
  save_camera_networks(folder);
  save_documented_networks(folder);
  save_with_unknown_operator(folder, "half_size");
  return 0;
}
