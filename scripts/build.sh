# SPDX-License-Identifier: Apache-2.0
# Shared by ./run and ./test, which set `root` and source it: configure and build one preset.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# As many compilers at a time as there are cores, but no more than fit the memory: a source that
# includes LibTorch takes about 1.5 GB.
num_jobs() {
  local cores memory_kb fitting
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
  fitting=$((memory_kb / 1500000))
  if ((fitting < 1)); then fitting=1; fi
  echo $((cores < fitting ? cores : fitting))
}

# The folders that take part; a new one must be noticed although no known file has changed.
room_list() {
  local IFS=' '
  (cd "$root" && echo ./*/CMakeLists.txt ./tests/*/CMakeLists.txt)
}

# build PRESET TARGET [CMAKE_ARGS...]: configures when needed, then builds; all output on stderr, none
# when there is nothing to do. One at a time per preset, so that two calls do not build into the same
# folder together. (A dry run of Ninja cannot tell beforehand whether there is work, because the
# globbed folders of configs/ count as work.)
build() {
  local preset=$1 target=$2 folder=$root/build/$1
  shift 2
  mkdir -p "$folder"
  (
    flock 9
    rooms=$(room_list)
    if [[ ! -f $folder/build.ninja || $# -gt 0 || ! -f $folder/.rooms ||
      $(< "$folder/.rooms") != "$rooms" ]]; then
      (cd "$root" && cmake --preset "$preset" --log-level=WARNING "$@") || exit 1
      printf '%s\n' "$rooms" > "$folder/.rooms"
    fi
    ninja -C "$folder" -j "$(num_jobs)" "$target" 2>&1 |
      { grep --line-buffered -v -e '^ninja: Entering directory' -e '^ninja: no work to do' \
        -e 'Re-checking globbed directories' || true; }
    exit "${PIPESTATUS[0]}"
  ) 9> "$folder/.lock" < /dev/null >&2
}
