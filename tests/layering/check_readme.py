# SPDX-License-Identifier: Apache-2.0
"""Fails when the README's list of Debian packages differs from scripts/packages.txt.

usage: check_readme.py ROOT
The list stands between <!-- packages --> and <!-- /packages -->; every word there that is not an
option or part of the apt-get command is a package.
"""
import pathlib
import re
import sys

MARKED = re.compile(r"<!-- packages -->(.*?)<!-- /packages -->", re.DOTALL)
NOT_PACKAGES = {"sudo", "apt", "apt-get", "install", "sh", "bash", "console"}


def packages_in_list(text):
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {line for line in lines if line and not line.startswith("[")}


def packages_in_readme(text):
    """The packages, or nothing where the README has no list."""
    match = MARKED.search(text)
    if not match:
        return None
    words = set(re.findall(r"(?<![\w-])[a-z0-9][a-z0-9.+-]+", match[1]))
    return words - NOT_PACKAGES


def differences(readme, package_list):
    listed, shown = packages_in_list(package_list), packages_in_readme(readme)
    if shown is None:
        return []
    return ([f"README.md leaves out '{name}'" for name in sorted(listed - shown)] +
            [f"README.md names '{name}', which scripts/packages.txt does not" for name in
             sorted(shown - listed)])


def main():
    root = pathlib.Path(sys.argv[1])
    found = differences((root / "README.md").read_text(encoding="utf-8"),
                        (root / "scripts" / "packages.txt").read_text(encoding="utf-8"))
    print("\n".join(found) or "README.md and scripts/packages.txt agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
