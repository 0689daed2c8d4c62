# SPDX-License-Identifier: Apache-2.0
"""Adds up the outcome of ./test and prints "N passed, N failed, N skipped" as the last line.

usage: test_summary.py RESULTS_DIR [SHARED_DIR]
RESULTS_DIR holds one NAME.check per step ("passed" or "failed") and one NAME.xml (JUnit, by ctest)
per run. With SHARED_DIR a test that was skipped for want of the shared material counts as failed.
Exits with 1 when something failed or nothing was tested.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

MISSING_SHARED = "the shared material is missing"


def skip_reason(case):
    lines = (case.findtext("system-out") or "").splitlines()
    reasons = [line.strip() for line in lines if line.strip() and not line.startswith("[")
               and "Skipped" not in line and not line.startswith(("Note:", "Running main"))]
    return reasons[0] if reasons else "no reason given"


def outcome_of(case, has_shared):
    """(outcome, remark) of one <testcase>."""
    status = case.get("status")
    if status == "run":
        return "passed", ""
    skipped = case.find("skipped")
    if skipped is not None or status in ("notrun", "disabled"):
        # ctest also says "notrun" where the program is missing: no test has looked at anything then.
        if skipped is not None and "SKIP" not in skipped.get("message", ""):
            return "failed", skipped.get("message", "not run")
        text = case.findtext("system-out") or ""
        if has_shared and MISSING_SHARED in text:
            return "failed", "skipped for want of the shared material, which is there"
        return "skipped", skip_reason(case)
    return "failed", ""


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
        for case in ElementTree.parse(file).iter("testcase"):
            outcome, remark = outcome_of(case, has_shared)
            counts[outcome] += 1
            if outcome != "passed":
                print(f"{outcome}: {file.stem}: {case.get('name')}" + (f" ({remark})" if remark else ""))
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
