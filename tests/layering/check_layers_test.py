# SPDX-License-Identifier: Apache-2.0
"""Proves that check_layers.py finds what it is there to find."""
import pathlib
import tempfile
import unittest

import check_layers

LAYERS = """
# a remark
core:
mesh: core
cli: core mesh
module mesh/inner/
<torch/> core
<assimp/> mesh
<nlohmann/> *
"""


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("cmake/layers.txt", LAYERS)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def found(self):
        return list(check_layers.violations(self.root))

    def expect_refused(self, name, include, words):
        self.write(name, f"#pragma once\n#include {include}\n")
        found = self.found()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{name}:2: must not include"), found[0])
        self.assertIn(words, found[0])

    def test_allowed_includes_pass(self):
        self.write("cli/a.cpp", '#include "cli/a.hpp"\n#include "mesh/m.hpp"\n#include <vector>\n')
        self.write("mesh/m.cpp", "#include <assimp/scene.h>\n#include <nlohmann/json.hpp>\n")
        self.write("mesh/m.hpp", '#include "core/x.hpp"\n#include <opencv2/core.hpp>\n'
                                 "#include <Eigen/Core>\n#include <cstdint>\n#include <immintrin.h>\n")
        self.write("tests/mesh/t.cpp", '#include "cli/a.hpp"\n#include <torch/torch.h>\n')
        self.assertEqual(self.found(), [])

    def test_forbidden_room(self):
        self.expect_refused("core/x.cpp", '"mesh/m.hpp"', "only itself and nothing")

    def test_forbidden_room_in_angle_brackets_and_with_spaces(self):
        self.expect_refused("mesh/m.cpp", " <cli/a.hpp>", "only itself and core")

    def test_heavy_header_in_another_room(self):
        self.expect_refused("mesh/m.cpp", "<torch/torch.h>", "core only")

    def test_headers_of_a_module_are_heavy_and_its_own(self):
        self.write("mesh/inner/i.hpp", "#include <assimp/scene.h>\n")
        self.write("mesh/inner/i.cpp", '#include "mesh/inner/i.hpp"\n')
        self.assertEqual(self.found(), [])
        self.expect_refused("mesh/m.cpp", '"mesh/inner/i.hpp"', "only files of the loadable module")

    def test_heavy_header_in_a_header_of_its_room(self):
        self.expect_refused("mesh/m.hpp", "<assimp/scene.h>", ".cpp files")

    def test_heavy_header_for_everybody_but_not_in_headers(self):
        self.expect_refused("mesh/m.hpp", "<nlohmann/json.hpp>", ".cpp files")

    def test_other_libraries_in_a_header(self):
        self.expect_refused("core/x.hpp", "<fmt/format.h>", "headers show only")
        self.expect_refused("core/x.hpp", "<opencv2/imgproc.hpp>", "headers show only")

    def test_tests_and_relative_paths(self):
        self.expect_refused("core/x.cpp", '"tests/support/paths.hpp"', "tests/")
        self.expect_refused("core/x.cpp", '"../mesh/m.hpp"', "from the root")

    def test_room_without_a_line(self):
        self.write("extra/e.cpp", "")
        self.assertEqual(len(self.found()), 1)
        self.assertIn("no line", self.found()[0])

    def test_name_without_a_line(self):
        self.write("cmake/layers.txt", "core:\nmesh: cores\n")
        self.assertIn("names 'cores'", self.found()[0])


if __name__ == "__main__":
    unittest.main()
