# SPDX-License-Identifier: Apache-2.0
"""Fails on an include that goes against the arrows between rooms (cmake/layers.txt).

usage: check_layers.py ROOT
Per room it refuses: headers of a room that is not allowed, of tests/ or bench/, relative paths with
"..", heavy libraries outside the rooms that may use them, and in headers everything but our own
headers, the standard library, the compiler's vector instructions, OpenCV's core and Eigen. Headers of
a loadable module may show its heavy library too, and only the module's own files may include them.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
IN_HEADERS = re.compile(r"^([a-z0-9_]+|c?std[a-z]+\.h|immintrin\.h|opencv2/core(\.hpp|/.*)|Eigen/.*)$")
SOURCES = (".cpp", ".hpp", ".cc", ".h", ".hxx", ".cxx")
OUTSIDE = ("tests", "bench", "examples", "build")


def read_layers(text):
    """({room: rooms it may include}, {heavy header prefix: rooms that may include it}, [module paths])"""
    allowed, heavy, modules = {}, {}, []
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("<"):
            prefix, *rooms = line.split()
            heavy[prefix.strip("<>")] = set(rooms)
        elif line.startswith("module "):
            modules += line.split()[1:]
        elif line:
            room, rooms = line.split(":")
            allowed[room.strip()] = set(rooms.split())
    return allowed, heavy, tuple(modules)


def includes_of(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1] == '"', match[2]


def reason_against(name, quoted, included, layers):
    """Why this file may not include that one; nothing where it may."""
    allowed, heavy, modules = layers
    room = name.parts[0]
    is_header = name.suffix not in (".cpp", ".cc", ".cxx")
    in_module = modules and str(name).startswith(modules)
    first = included.split("/")[0]
    if ".." in included.split("/"):
        return "a path from the root of the sources is wanted"
    if first in allowed:
        if first != room and first not in allowed[room]:
            may = ", ".join(sorted(allowed[room])) or "nothing"
            return f"'{room}' may include only itself and {may}"
        if modules and included.startswith(modules) and not in_module:
            return "only files of the loadable module may include its headers"
        return None
    if first in OUTSIDE and "/" in included:
        return f"a room must not depend on {first}/"
    for prefix, rooms in heavy.items():
        if included.startswith(prefix):
            if "*" not in rooms and room not in rooms:
                return f"'{prefix}' belongs into {', '.join(sorted(rooms))} only"
            if is_header and not in_module:
                return f"'{prefix}' belongs into .cpp files"
            return None
    if is_header and not quoted and not IN_HEADERS.match(included):
        return "headers show only our own types, the standard library, OpenCV's core and Eigen"
    return None


def violations(root):
    layers = read_layers((root / "cmake" / "layers.txt").read_text(encoding="utf-8"))
    allowed = layers[0]
    for room, rooms in allowed.items():
        for other in sorted(rooms - set(allowed)):
            yield f"cmake/layers.txt: '{room}' names '{other}', which has no line of its own"
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        room = folder.name
        if room in OUTSIDE or room.startswith("."):
            continue
        for path in sorted(p for p in folder.rglob("*") if p.suffix in SOURCES):
            name = path.relative_to(root)
            if room not in allowed:
                yield f"{name}: the folder '{room}' has no line in cmake/layers.txt"
                continue
            for number, quoted, included in includes_of(path):
                reason = reason_against(name, quoted, included, layers)
                if reason:
                    yield f"{name}:{number}: must not include '{included}': {reason}"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "every include follows cmake/layers.txt")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
