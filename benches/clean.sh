#!/usr/bin/env bash
# `inkout clean` against what the system does with the same files, as ratios within one run.
#
#   cargo build --release --bins --examples && benches/clean.sh     # the whole table: ten minutes, 14 GiB of disk
#   SIZE=256M PLACE=512M RUNS=1 benches/clean.sh tree place         # a short run of two cases
#   BEFORE='chrt -f 5' benches/clean.sh                             # where other programs are at work, too
#
# Cases: tree place gzip zstd bomb
#
# Every figure is the median of RUNS runs that take turns with those of the program beside it; files are in the page cache.
# A ratio of 100 % is as fast as that program. Everything is written below TMPDIR and removed at the end.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C

: "${SIZE:=2G}"    # of the tree
: "${PLACE:=4G}"   # of the one file
: "${FILES:=10000}"
: "${PACKED:=512M}" # of what is compressed
: "${EVERY:=1000}" # one line in so many carries a secret
: "${RUNS:=3}"
: "${BEFORE:=}"    # before every command that is measured
: "${BUILD:=target/release}"
: "${INKOUT:=$BUILD/inkout}"
corpus=$BUILD/examples/corpus
for tool in "$INKOUT" "$corpus"; do
    [[ -x $tool ]] || { echo "$tool is missing: cargo build --release --bins --examples" >&2; exit 2; }
done
INKOUT=$(realpath "$INKOUT")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints seconds and the peak of resident MiB of a shell command; of a pipe, that of its largest process.
measure() {
    python3 - "$1" "${2:-0}" "$BEFORE" << 'PY'
import resource, subprocess, sys, time
start = time.perf_counter()
end = subprocess.run(sys.argv[3].split() + ["bash", "-c", sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
wanted = int(sys.argv[2])
if end.returncode != wanted:
    sys.exit(f"{sys.argv[1]}: exit {end.returncode}: {end.stderr.decode(errors='replace')[:500]}")
print(f"{seconds:.3f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10}")
PY
}

# The middle one of some numbers.
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# compare NAME TARGET OTHER OURS [BEFORE-OURS]: runs both in turns and prints the ratio of their median times.
compare() {
    local name=$1 target=$2 other=$3 ours=$4 before=${5:-true} peak=0 seconds memory
    local others=() all=()
    for ((run = 0; run < RUNS; run++)); do
        read -r seconds memory < <(measure "$other")
        others+=("$seconds")
        bash -c "$before"
        read -r seconds memory < <(measure "$ours")
        all+=("$seconds")
        peak=$((memory > peak ? memory : peak))
    done
    awk -v name="$name" -v target="$target" -v other="$(median "${others[@]}")" -v ours="$(median "${all[@]}")" -v peak="$peak" \
        'BEGIN { printf "%-44s %7.2f s %7.2f s %6.0f %% %6s %5d MiB\n", name, other, ours, 100 * other / ours, target, peak }'
}

heading() { printf '\n%-44s %9s %9s %8s %6s %9s\n' "$1" other inkout ratio target memory; }

# --- Cases -----------------------------------------------------------------------------------------------------------

case_tree() {
    "$corpus" --size "$SIZE" --every "$EVERY" --out "$work/all"
    "$corpus" --size "$SIZE" --out "$work/clean"
    for kind in all clean; do
        mkdir "$work/$kind.d"
        for ((folder = 0; folder < 100; folder++)); do mkdir "$work/$kind.d/$folder"; done
        split -n "l/$FILES" -d -a 6 "$work/$kind" "$work/$kind.d/"
        (cd "$work/$kind.d" && for file in ??????; do mv "$file" "$((10#$file % 100))/"; done)
        rm "$work/$kind"
    done
    heading "$FILES files, $SIZE"
    local tree=$work/clean.d
    compare "dry run, nothing found | tar c" 60% "tar c $tree | wc -c" "$INKOUT clean -q -n $tree"
    compare "in place, nothing found | tar c" 60% "tar c $tree | wc -c" "$INKOUT clean -q -i $tree"
    tree=$work/all.d
    compare "dry run, secrets in every file | tar c" 60% "tar c $tree | wc -c" "$INKOUT clean -q -n $tree"
    compare "into a folder | cp -r" - "cp -r $tree $work/copy; rm -r $work/copy" "$INKOUT clean -q -o $work/out $tree; rm -r $work/out"
    compare "into a folder, no verify | cp -r" - "cp -r $tree $work/copy; rm -r $work/copy" \
        "$INKOUT clean -q --no-verify -o $work/out $tree; rm -r $work/out"
    compare "into a folder | tar c" - "tar c $tree | wc -c" "$INKOUT clean -q -o $work/out $tree" "rm -rf $work/out"
    rm -rf "$work/out" "$work/all.d" "$work/clean.d"
}

case_place() {
    "$corpus" --size "$PLACE" --every "$EVERY" --out "$work/all"
    sync
    heading "one file of $PLACE, one line in $EVERY with a secret"
    # Neither side is charged for what is removed: the copy goes before the next file is made, the old file with its rename.
    local other="cp $work/all $work/copy && sync $work/copy"
    local before="rm $work/copy && cp $work/all $work/app.log && sync $work/app.log"
    compare "in place | cp + sync" 70% "$other" "$INKOUT clean -q -i $work/app.log" "$before"
    compare "in place, no verify | cp + sync" - "$other" "$INKOUT clean -q -i --no-verify $work/app.log" "$before"
    rm -f "$work/all" "$work/copy" "$work/app.log"
}

packed() { # packed TOOL SUFFIX
    "$corpus" --size "$PACKED" --every "$EVERY" --out "$work/all"
    "$1" -q -k -6 "$work/all"
    rm "$work/all"
    heading "$PACKED as .$2"
    local file=$work/all.$2 ours="$INKOUT clean -q -o $work/out"
    compare "in and out | $1 -dc | $1 -1" 80% "$1 -dc $file | $1 -1 > $work/copy" "$ours $file"
    compare "in and out, no verify" - "$1 -dc $file | $1 -1 > $work/copy" "$ours --no-verify $file"
    rm -r "$file" "$work/copy" "$work/out"
}
case_gzip() { packed gzip gz; }
case_zstd() { packed zstd zst; }

case_bomb() {
    # 64 MiB of zeros, compressed, 160 times one after the other: 10 GiB.
    head -c 64M /dev/zero | tr '\0' 0 > "$work/zeros"
    gzip -k "$work/zeros"
    zstd -q "$work/zeros"
    printf 'nothing\n' > "$work/small"
    printf '\n%-44s %9s %9s\n' "a bomb of 10 GiB" seconds memory
    local usual seconds memory
    read -r seconds usual < <(measure "$INKOUT clean -n $work/small")
    printf '%-44s %7.2f s %5d MiB\n' "a file of one line" "$seconds" "$usual"
    for suffix in gz zst; do
        for ((part = 0; part < 160; part++)); do cat "$work/zeros.$suffix"; done > "$work/bomb.$suffix"
        read -r seconds memory < <(measure "$INKOUT clean -i $work/bomb.$suffix" 3)
        printf '%-44s %7.2f s %5d MiB\n' "$(stat -c %s "$work/bomb.$suffix") bytes of .$suffix" "$seconds" "$memory"
    done
}

[[ $# -gt 0 ]] || set -- tree place gzip zstd bomb
for case in "$@"; do "case_$case"; done
