# SPDX-License-Identifier: Apache-2.0
"""Proves that the table of networks follows the cards."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import models_table  # pylint: disable=wrong-import-position

CARD = {"model": {"id": "a", "license": "X-1.0", "commercial": False},
        "weights": {"files": ["a.pth"], "bytes": 1_340_000_000, "source": "https://example.org"}}
EMPTY = "before\n<!-- networks -->\n<!-- /networks -->\nafter\n"


class ModelsTable(unittest.TestCase):
    def test_tells_licence_use_size_and_file(self):
        self.assertEqual(models_table.row(CARD),
                         "| `a` | X-1.0 | **no** | 1.3 GB | [`a.pth`](https://example.org) |\n")

    def test_changes_with_a_card_and_keeps_the_rest(self):
        text = models_table.with_table(EMPTY, [CARD])
        self.assertEqual(models_table.with_table(text, [CARD]), text)
        other = {**CARD, "model": {**CARD["model"], "license": "Y"}}
        self.assertNotEqual(models_table.with_table(text, [other]), text)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))

    def test_needs_its_marks(self):
        with self.assertRaises(ValueError):
            models_table.with_table("nothing\n", [CARD])


if __name__ == "__main__":
    unittest.main()
