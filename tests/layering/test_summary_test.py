# SPDX-License-Identifier: Apache-2.0
"""Proves that the last line of ./test counts what ctest reports, and that skips cannot hide."""
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

SUMMARY = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "test_summary.py"
sys.path.insert(0, str(SUMMARY.parent))

import test_summary  # pylint: disable=wrong-import-position

PASSED = '<testcase name="ok" status="run"/>'
FAILED = '<testcase name="bad" status="fail"><failure message=""/></testcase>'
NOT_BUILT = ('<testcase name="gone" status="notrun"><skipped message="Unable to find executable"/>'
             "</testcase>")
SKIPPED = ('<testcase name="skip" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
           "<system-out>looking around\n{}\n</system-out></testcase>")
PROCESS = '<testcase name="mesh/Room" status="{}"><system-out>{}</system-out></testcase>'
TESTS = ["Room.IsClosed", "All/Room.IsLit/0", "Room.HasADoor"]


def told(name, inner="", result="completed", status="run"):
    """<testcase> of a test SUITE.TEST, as GoogleTest writes it."""
    suite, test = name.rsplit(".", 1)
    return (f'<testcase classname="{suite}" name="{test}" status="{status}" result="{result}">'
            f"{inner}</testcase>")


class TestSummary(unittest.TestCase):
    def summary(self, *cases, shared="", checks=(), report=None):
        """(lines, exit code); `report` is what the process of TESTS has written."""
        with tempfile.TemporaryDirectory() as folder:
            for name, outcome in checks:
                (pathlib.Path(folder) / f"{name}.check").write_text(outcome + "\n")
            (pathlib.Path(folder) / "release.xml").write_text(
                f"<testsuite>{''.join(cases)}</testsuite>")
            room = pathlib.Path(folder) / "release" / "mesh"
            room.mkdir(parents=True)
            (room / "Room.tests").write_text("\n".join(TESTS) + "\n")
            if report is not None:
                (room / "Room.xml").write_text(report)
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

    def process_summary(self, *cases, status="run", output="", shared=""):
        """As summary(), for one process of TESTS that told about `cases`."""
        return self.summary(PROCESS.format(status, output), shared=shared,
                            report=f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")

    def test_each_test_of_a_process_counts(self):
        self.assertEqual(self.process_summary(*map(told, TESTS)),
                         (["3 passed, 0 failed, 0 skipped"], 0))

    def test_a_failure_within_a_process_is_named(self):
        failed = told(TESTS[1], '<failure message="2 is not 3"/>')
        lines, code = self.process_summary(told(TESTS[0]), failed, told(TESTS[2]), status="fail")
        self.assertEqual(lines, ["failed: release: mesh/All/Room.IsLit/0",
                                 "2 passed, 1 failed, 0 skipped"])
        self.assertEqual(code, 1)

    def test_skips_within_a_process(self):
        why = '<skipped message="a.cpp:7&#x0A;the shared material is missing (set X)&#x0A;"/>'
        cases = (told(TESTS[0]), told(TESTS[1], why, result="skipped"),
                 told(TESTS[2], status="notrun", result="suppressed"))
        lines, code = self.process_summary(*cases)
        self.assertEqual(lines, ["skipped: release: mesh/All/Room.IsLit/0 (the shared material is "
                                 "missing (set X))", "skipped: release: mesh/Room.HasADoor (disabled)",
                                 "1 passed, 0 failed, 2 skipped"])
        self.assertEqual(code, 0)
        lines, code = self.process_summary(*cases, shared="/shared")
        self.assertEqual((lines[-1], code), ("1 passed, 1 failed, 1 skipped", 1))

    def test_a_failure_before_a_skip_is_a_failure(self):
        both = told(TESTS[1], '<failure message=""/><skipped message=""/>', result="skipped")
        lines, _ = self.process_summary(told(TESTS[0]), both, told(TESTS[2]), status="fail")
        self.assertEqual(lines[-1], "2 passed, 1 failed, 0 skipped")

    def test_tests_without_an_outcome_have_failed_whatever_the_process_said(self):
        output = "[ RUN      ] Room.IsClosed\n[       OK ]\n[ RUN      ] All/Room.IsLit/0\n"
        for status in ("run", "fail"):
            lines, code = self.summary(PROCESS.format(status, output))
            self.assertEqual(lines[0], "failed: release: mesh/Room.IsClosed "
                                       "(the process ended in All/Room.IsLit/0)")
            self.assertEqual((lines[-1], code), ("0 passed, 3 failed, 0 skipped", 1))
        lines, code = self.process_summary(told(TESTS[0]))
        self.assertEqual((lines[-1], code), ("1 passed, 2 failed, 0 skipped", 1))

    def test_output_may_be_cut_off_anywhere(self):
        output = "[ RUN      ] All/Room.IsLit/0\n[ RUN      ] Room.HasADoor\n"
        for length in range(len(output)):
            process = ElementTree.fromstring(PROCESS.format("run", output[:length]))
            outcomes = list(test_summary.outcomes_of_tests(process, TESTS, pathlib.Path(), ""))
            self.assertEqual([outcome for _, outcome, _ in outcomes], ["failed"] * 3)

    def test_half_a_report_is_none(self):
        lines, code = self.summary(PROCESS.format("run", ""), report="<testsuites><testcase")
        self.assertEqual((lines[-1], code), ("0 passed, 3 failed, 0 skipped", 1))

    def test_a_process_that_fails_after_its_tests_has_failed(self):
        lines, code = self.process_summary(*map(told, TESTS), status="fail")
        self.assertEqual(lines, ["failed: release: mesh/Room (the process failed after its tests)",
                                 "3 passed, 1 failed, 0 skipped"])
        self.assertEqual(code, 1)

    def test_a_process_that_was_not_run_counts_once(self):
        case = ('<testcase name="mesh/Room" status="notrun"><skipped message="Unable to find '
                'executable"/></testcase>')
        self.assertEqual(self.summary(PASSED, case)[0][-1], "1 passed, 1 failed, 0 skipped")

    def test_nothing_tested_is_a_failure(self):
        self.assertEqual(self.summary()[1], 1)


if __name__ == "__main__":
    unittest.main()
