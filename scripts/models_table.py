#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the table of known networks in docs/models.md from the cards in models/.

usage: models_table.py [--check]
With --check nothing is written: it fails where the table is not that of the cards.
"""
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(<!-- networks -->\n).*?(<!-- /networks -->)", re.DOTALL)
HEAD = "| network | licence of the weights | commercial use | size | file |\n|---|---|---|---|---|\n"


def size_text(num_bytes):
    if not num_bytes:
        return ""
    if num_bytes < 1e6:
        return f"{num_bytes / 1e3:.0f} kB"
    if num_bytes < 1e9:
        return f"{num_bytes / 1e6:.0f} MB"
    return f"{num_bytes / 1e9:.1f} GB"


def row(card):
    model, weights = card["model"], card.get("weights", {})
    files = weights.get("files", [])
    name = f"[`{files[0]}`]({weights['source']})" if files and "source" in weights else ""
    if not name and files:
        name = f"`{files[0]}`"
    if model["id"] == "nano":
        name = "inside the program"
    use = "yes" if model.get("commercial", True) else "**no**"
    return (f"| `{model['id']}` | {model['license']} | {use} | {size_text(weights.get('bytes'))} "
            f"| {name} |\n")


def table(cards):
    return HEAD + "".join(row(card) for card in sorted(cards, key=lambda c: c["model"]["id"]))


def with_table(text, cards):
    """The document with the cards' table between its marks."""
    if not TABLE.search(text):
        raise ValueError("docs/models.md lacks '<!-- networks -->' and '<!-- /networks -->'")
    return TABLE.sub(lambda match: match[1] + table(cards) + match[2], text)


def main():
    document = ROOT / "docs" / "models.md"
    cards = [tomllib.loads(path.read_text(encoding="utf-8"))
             for path in sorted((ROOT / "models").glob("*.toml"))]
    text = document.read_text(encoding="utf-8")
    wanted = with_table(text, cards)
    if "--check" not in sys.argv:
        document.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit("the table in docs/models.md is not that of models/*.toml; run "
                 "scripts/models_table.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
