# SPDX-License-Identifier: Apache-2.0
"""Proves that the last line of ./test counts what ctest reports, and that skips cannot hide."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SUMMARY = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "test_summary.py"
PASSED = '<testcase name="ok" status="run"/>'
FAILED = '<testcase name="bad" status="fail"><failure message=""/></testcase>'
NOT_BUILT = ('<testcase name="gone" status="notrun"><skipped message="Unable to find executable"/>'
             "</testcase>")
SKIPPED = ('<testcase name="skip" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>'
           "<system-out>[ RUN      ] A.b\n/a/b.cpp:7: Skipped\n{}\n[  SKIPPED ] A.b</system-out>"
           "</testcase>")


class TestSummary(unittest.TestCase):
    def summary(self, *cases, shared="", checks=()):
        """(lines, exit code)"""
        with tempfile.TemporaryDirectory() as folder:
            for name, outcome in checks:
                (pathlib.Path(folder) / f"{name}.check").write_text(outcome + "\n")
            (pathlib.Path(folder) / "release.xml").write_text(
                f"<testsuite>{''.join(cases)}</testsuite>")
            result = subprocess.run([sys.executable, SUMMARY, folder, shared], text=True,
                                    capture_output=True, check=False)
        return result.stdout.splitlines(), result.returncode

    def test_counts_tests_and_checks(self):
        lines, code = self.summary(PASSED, PASSED, checks=[("format", "passed")])
        self.assertEqual((lines, code), (["3 passed, 0 failed, 0 skipped"], 0))

    def test_failures_are_named(self):
        lines, code = self.summary(PASSED, FAILED, checks=[("format", "failed")])
        self.assertEqual(lines, ["failed: format", "failed: release: bad",
                                 "1 passed, 2 failed, 0 skipped"])
        self.assertEqual(code, 1)

    def test_a_test_that_was_not_built_has_failed(self):
        self.assertEqual(self.summary(PASSED, NOT_BUILT)[0][-1], "1 passed, 1 failed, 0 skipped")

    def test_a_skip_is_a_skip_with_its_reason(self):
        lines, code = self.summary(PASSED, SKIPPED.format("no Blender here"), shared="/shared")
        self.assertEqual(lines, ["skipped: release: skip (no Blender here)",
                                 "1 passed, 0 failed, 1 skipped"])
        self.assertEqual(code, 0)

    def test_a_skip_for_want_of_material_that_is_there_is_a_failure(self):
        skipped = SKIPPED.format("the shared material is missing (set VERGENCE_SHARED)")
        self.assertEqual(self.summary(PASSED, skipped)[1], 0)
        lines, code = self.summary(PASSED, skipped, shared="/shared")
        self.assertEqual((lines[-1], code), ("1 passed, 1 failed, 0 skipped", 1))

    def test_nothing_tested_is_a_failure(self):
        self.assertEqual(self.summary()[1], 1)


if __name__ == "__main__":
    unittest.main()
