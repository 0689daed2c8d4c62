#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/slurm/slurm_test.sh VERGENCE: proves launcher=slurm on a cluster of this one machine, made of
# Debian's slurm-wlm (munged, slurmctld and slurmd on loopback, everything in a temporary folder) and
# torn down again. Needs root; without it, or without the packages, it is skipped (exit 77).
set -uo pipefail
vergence=$(readlink -f "${1:?usage: slurm_test.sh VERGENCE}")

skip() { echo "skipped: $*"; exit 77; }
[[ $EUID -eq 0 ]] || skip "needs root"
for tool in munged slurmctld slurmd sbatch squeue scancel scontrol; do
  command -v "$tool" > /dev/null || skip "$tool is missing (packages slurm-wlm and munge)"
done
if pgrep -x slurmctld > /dev/null; then skip "a slurmctld runs here already"; fi

base=$(mktemp -d /tmp/vergence-slurm.XXXXXX)
chmod 755 "$base"
failures=0

stop_cluster() {
  for name in slurmd slurmctld munged; do
    local file=$base/$name.pid
    if [[ -s $file ]]; then kill "$(< "$file")" 2> /dev/null; fi
  done
  sleep 1
  for name in slurmd slurmctld munged; do
    local file=$base/$name.pid
    if [[ -s $file ]]; then kill -9 "$(< "$file")" 2> /dev/null; fi
  done
}

tear_down() {
  stop_cluster
  if [[ $failures -gt 0 && -n ${KEEP:-} ]]; then echo "kept: $base"; else rm -rf "$base"; fi
}
trap tear_down EXIT

fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
expect() {  # TEXT COMMAND..., whose stdout is of no interest
  local text=$1
  shift
  if "$@" > /dev/null; then echo "passed: $text"; else fail "$text"; fi
}

start_cluster() {
  mkdir -p "$base/spool" "$base/state"
  dd if=/dev/urandom of="$base/munge.key" bs=1024 count=1 status=none
  chmod 400 "$base/munge.key"
  munged --force --key-file="$base/munge.key" --socket="$base/munge.socket" \
    --pid-file="$base/munged.pid" --log-file="$base/munged.log" --seed-file="$base/munge.seed" \
    || { fail "munged does not start"; return 1; }
  local host
  host=$(hostname -s)
  cat > "$base/slurm.conf" << CONF
ClusterName=vergence
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$base/munge.socket
CredType=cred/munge
StateSaveLocation=$base/state
SlurmdSpoolDir=$base/spool
SlurmctldPidFile=$base/slurmctld.pid
SlurmdPidFile=$base/slurmd.pid
SlurmctldLogFile=$base/slurmctld.log
SlurmdLogFile=$base/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=3
MinJobAge=10
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF=$base/slurm.conf
  slurmctld -c && slurmd || { fail "the cluster does not start"; return 1; }
  for _ in $(seq 60); do
    if [[ $(sinfo -h -o %t) == idle ]]; then return 0; fi
    sleep 0.5
  done
  fail "the node does not come up: $(sinfo -h)"
  return 1
}

quick=(views=icosahedron_6 predictor.size_px=64 output.preview=false)
on_cluster=(launcher=slurm launcher.poll_s=0.5)
same_numbers() {  # SWEEP SWEEP: metrics (all columns but that of seconds) and outputs
  diff <(cut -d, -f1-5,7- "$1/summary.csv") <(cut -d, -f1-5,7- "$2/summary.csv") || return 1
  for job in 0 1 2 3; do
    "$vergence" compare "$1/$job" "$2/$job" | grep -q "^results: no difference" || return 1
    cmp "$1/$job/scene_depth.exr" "$2/$job/scene_depth.exr" || return 1
  done
}

cd "$base"
# A picture with structure, as a plain PPM.
python3 - << 'PY'
import math
width, height = 256, 128
with open("scene.ppm", "wb") as file:
    file.write(b"P6 %d %d 255\n" % (width, height))
    for y in range(height):
        for x in range(width):
            wave = math.sin(12 * x / width) * math.cos(9 * y / height)
            file.write(bytes((int(128 + 100 * wave), 255 * y // height, 255 * x // width)))
PY
cp scene.ppm truth-source.ppm
"$vergence" depth scene.ppm -o truth.npy "${quick[@]}" -q > /dev/null || fail "a job without the cluster"
start_cluster || exit 1

sweep=(depth scene.ppm -m views.fov_deg=95,100 alignment.grid=true,false run.ground_truth=truth.npy threads=1 -q "${quick[@]}")
expect "the jobs run one after the other" "$vergence" "${sweep[@]}" run.sweep.dir=serial
expect "the jobs run as an array job" "$vergence" "${sweep[@]}" "${on_cluster[@]}" run.sweep.dir=array
expect "both give the same numbers" same_numbers serial array
expect "the array job's summary is there" test -s array/summary.html

expect "jobs are left to the cluster" "$vergence" "${sweep[@]}" "${on_cluster[@]}" launcher.wait=false run.sweep.dir=left
expect "and collected later" "$vergence" collect left --wait -q
expect "with the same numbers" same_numbers serial left

# A task that is taken away, as by preemption, is lost; it comes back once.
long=(depth scene.ppm -m views.fov_deg=95,100 threads=1 -q output.preview=false predictor.size_px=1024)
"$vergence" "${long[@]}" "${on_cluster[@]}" launcher.wait=false run.sweep.dir=lost > /dev/null || fail "submitting long jobs"
id=$(sed -n 's/^slurm_jobs = \["\?\([0-9]*\).*/\1/p' lost/multirun.toml)
[[ -n $id ]] || id=$(sed -n "s/^slurm_jobs = .*'\([0-9]*\)'.*/\1/p" lost/multirun.toml)
for _ in $(seq 100); do
  if grep -q '"running"' lost/0/.vergence/run.toml; then break; fi
  sleep 0.1
done
scancel --signal=KILL --full "${id}_0"
expect "a lost task is submitted again" "$vergence" collect lost --wait -q
expect "once" grep -q '^submitted_again = \[ *0 *\]' lost/multirun.toml
expect "and done" grep -q '^status = "done"' lost/0/.vergence/run.toml

# A video by tasks of whole segments is that of one process.
if command -v ffmpeg > /dev/null; then
  ffmpeg -v error -f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset ultrafast -c:a aac clip.mp4
  video=(sbs clip.mp4 threads=1 -q predictor.size_px=64 video.preset=ultrafast video.segment_s=0.5 video.depth_cache=false)
  frames_of() { ffmpeg -v error -i "$1" -map 0 -f framemd5 - | grep -v '^#'; }
  expect "a video is made by one process" "$vergence" "${video[@]}" -o whole.mkv
  expect "and by tasks of the cluster" "$vergence" "${video[@]}" "${on_cluster[@]}" launcher.workers=2 -o tasks.mkv
  expect "with the same frames and sound" diff <(frames_of whole.mkv) <(frames_of tasks.mkv)
fi

# Ctrl-C takes the jobs back.
"$vergence" "${long[@]}" "${on_cluster[@]}" run.sweep.dir=stopped > /dev/null 2> stopped.log &
program=$!
for _ in $(seq 100); do
  if grep -qs '"running"' stopped/0/.vergence/run.toml; then break; fi
  sleep 0.1
done
kill -TERM "$program"  # a shell without job control makes its background deaf to SIGINT
wait "$program"
expect "Ctrl-C ends with 130" test $? -eq 130
sleep 5
expect "and leaves no task" test -z "$(squeue -h)"
expect "and is noted" grep -q '^status = "interrupted"' stopped/0/.vergence/run.toml

echo "$failures failed"
exit $((failures > 0))
