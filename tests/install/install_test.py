# SPDX-License-Identifier: Apache-2.0
"""Installs the build into a temporary prefix and uses it as a stranger would.

usage: install_test.py BUILD_DIR CONSUMER_DIR VERSION [--program]
A project that knows nothing but find_package(Vergence) is built and run; every installed header is
compiled with nothing but what that gives it. With --program the installed `vergence` must answer
from / in an empty environment. No installed file may look into the build tree.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HEAVY = ("/torch/", "/ATen/", "/c10/", "/open3d/", "/assimp/", "/libavcodec/", "/toml++/")


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                            check=False, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexit {result.returncode}\n{result.stdout}\n"
                 f"{result.stderr}")
    return result.stdout


def build_consumer(source, prefix, build):
    """Adds a source that includes every installed header, builds, and returns the headers used."""
    shutil.copytree(source, build / "source")
    include = prefix / "include" / "vergence"
    headers = sorted(path.relative_to(include) for path in include.rglob("*.hpp"))
    if len(headers) < 10:
        sys.exit(f"only {len(headers)} headers were installed")
    (build / "source" / "headers.cpp").write_text(
        "".join(f'#include "{header}"\n' for header in headers))
    with open(build / "source" / "CMakeLists.txt", "a", encoding="utf-8") as lists:
        lists.write("target_sources(consumer PRIVATE headers.cpp)\n")
    run("cmake", "-S", build / "source", "-B", build / "build", "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
    run("ninja", "-C", build / "build")
    return run("ninja", "-C", build / "build", "-t", "deps").splitlines()


def check_no_path_into(prefix, build):
    """Programs and libraries must find each other relative to themselves."""
    for path in [*(prefix / "bin").glob("*"), *prefix.rglob("*.so")]:
        if str(build) in run("readelf", "-d", path):
            sys.exit(f"{path} looks for libraries in the build tree")


def main():
    build, consumer, version = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory(prefix="vergence install ") as folder:
        prefix = pathlib.Path(folder) / "prefix"
        run("cmake", "--install", build, "--prefix", prefix)
        used = build_consumer(consumer, prefix, pathlib.Path(folder) / "consumer")
        heavy = [line.strip() for line in used if any(name in line for name in HEAVY)]
        if heavy:
            sys.exit(f"the consumer had to compile {heavy[0]} and {len(heavy) - 1} more")
        said = run(pathlib.Path(folder) / "consumer" / "build" / "consumer")
        if said != "distance 3.0, scale 4.0\n":
            sys.exit(f"the consumer said {said!r}")
        check_no_path_into(prefix, build)
        if "--program" in sys.argv:
            said = run(prefix / "bin" / "vergence", "--version", cwd="/", env={})
            if version not in said:
                sys.exit(f"'vergence --version' said {said!r}, which lacks {version}")
            for name in ("man/man1/vergence.1", "man/man1/vergence-depth.1",
                         "bash-completion/completions/vergence", "zsh/site-functions/_vergence",
                         "fish/vendor_completions.d/vergence.fish"):
                if not (prefix / "share" / name).is_file():
                    sys.exit(f"the installation lacks share/{name}")
    print("the installation serves")


if __name__ == "__main__":
    main()
