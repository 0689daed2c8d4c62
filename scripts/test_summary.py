# SPDX-License-Identifier: Apache-2.0
"""Adds up the outcome of ./test and prints "N passed, N failed, N skipped" as the last line.

usage: test_summary.py RESULTS_DIR [SHARED_DIR]
RESULTS_DIR holds one NAME.check per step ("passed" or "failed") and one RUN.xml (JUnit, by ctest)
per run. ctest sees processes, of which those of GoogleTest run several tests: RUN/PROCESS.tests names
them, and RUN/PROCESS.xml, by GoogleTest, tells their outcomes (cmake/suites.cmake). Each of these tests
counts; one without an outcome, because the process ended before, has failed.
With SHARED_DIR a test that was skipped for want of the shared material counts as failed.
Exits with 1 when something failed or nothing was tested.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

MISSING_SHARED = "the shared material is missing"
# A whole line: ctest cuts long outputs off anywhere.
STARTED = re.compile(r"^\[ RUN +\] (\S+)$", re.MULTILINE)


def skipped(text, has_shared):
    """(outcome, remark) of a test that said `text` when it was skipped."""
    if has_shared and MISSING_SHARED in text:
        return "failed", "skipped for want of the shared material, which is there"
    reasons = [line.strip() for line in text.splitlines() if line.strip()]
    return "skipped", reasons[-1] if reasons else "no reason given"


def outcome_of_process(case, has_shared):
    """(outcome, remark) of one <testcase> by ctest."""
    status = case.get("status")
    if status == "run":
        return "passed", ""
    message = case.find("skipped")
    if message is not None or status in ("notrun", "disabled"):
        # ctest also says "notrun" where the program is missing: no test has looked at anything then.
        if message is not None and "SKIP" not in message.get("message", ""):
            return "failed", message.get("message", "not run")
        return skipped(case.findtext("system-out") or "", has_shared)
    return "failed", ""


def outcome_of_test(case, has_shared):
    """(outcome, remark) of one <testcase> by GoogleTest."""
    if case.find("failure") is not None:
        return "failed", ""
    if case.get("result") == "skipped":
        # The first line says where.
        message = case.find("skipped")
        lines = message.get("message", "").splitlines() if message is not None else []
        return skipped("\n".join(lines[1:]), has_shared)
    if case.get("status") == "notrun":
        return "skipped", "disabled"
    return "passed", ""


def reported_outcomes(report, has_shared):
    """{SUITE.TEST: (outcome, remark)} of GoogleTest's report; nothing where there is none."""
    try:
        cases = ElementTree.parse(report).iter("testcase")
    except (OSError, ElementTree.ParseError):
        return {}
    return {f"{case.get('classname')}.{case.get('name')}": outcome_of_test(case, has_shared)
            for case in cases}


def outcomes_of_tests(case, tests, report, has_shared):
    """(name, outcome, remark) of each of the `tests` of a process of GoogleTest."""
    outcomes = reported_outcomes(report, has_shared)
    started = STARTED.findall(case.findtext("system-out") or "")
    end = f"the process ended in {started[-1]}" if started else "the process ended before any test"
    for test in tests:
        yield test, *outcomes.get(test, ("failed", end))
    failed = any(outcome == "failed" for outcome, _ in outcomes.values())
    if case.get("status") != "run" and not failed and len(outcomes) == len(tests):
        yield "", "failed", "the process failed after its tests"


def outcomes_of_run(file, has_shared):
    """(name, outcome, remark) of all tests in a report by ctest."""
    for case in ElementTree.parse(file).iter("testcase"):
        name = case.get("name")
        outcome, remark = outcome_of_process(case, has_shared)
        base = file.with_suffix("") / name
        tests = base.parent / (base.name + ".tests")
        if not tests.exists() or case.get("status") not in ("run", "fail"):
            yield name, outcome, remark
            continue
        for test, outcome, remark in outcomes_of_tests(
                case, tests.read_text().split(), base.parent / (base.name + ".xml"), has_shared):
            yield name.split("/")[0] + "/" + test if test else name, outcome, remark


def main():
    results = pathlib.Path(sys.argv[1])
    has_shared = len(sys.argv) > 2 and bool(sys.argv[2])
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for file in sorted(results.glob("*.check")):
        outcome = file.read_text().strip()
        counts[outcome] += 1
        if outcome == "failed":
            print(f"failed: {file.stem}")
    for file in sorted(results.glob("*.xml")):
        for name, outcome, remark in outcomes_of_run(file, has_shared):
            counts[outcome] += 1
            if outcome != "passed":
                print(f"{outcome}: {file.stem}: {name}" + (f" ({remark})" if remark else ""))
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
