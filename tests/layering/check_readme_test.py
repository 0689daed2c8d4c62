# SPDX-License-Identifier: Apache-2.0
"""Proves that check_readme.py finds what it is there to find."""
import unittest

import check_readme

LIST = "# remark\n[build]\ng++\nlibtorch-dev   # why\n[test]\nnpm\n"
README = """text npm
<!-- packages -->
```sh
sudo apt-get install --no-install-recommends g++ libtorch-dev \\
  npm
```
<!-- /packages -->
"""


class CheckReadme(unittest.TestCase):
    def test_same_packages_pass(self):
        self.assertEqual(check_readme.differences(README, LIST), [])

    def test_no_list_passes(self):
        self.assertEqual(check_readme.differences("# Vergence", LIST), [])

    def test_missing_and_extra_packages(self):
        self.assertEqual(check_readme.differences(README.replace("libtorch-dev", "cowsay"), LIST),
                         ["README.md leaves out 'libtorch-dev'",
                          "README.md names 'cowsay', which scripts/packages.txt does not"])


if __name__ == "__main__":
    unittest.main()
