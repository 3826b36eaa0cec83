#!/usr/bin/env bash
# `inkout clean` against what the system does with the same files, as ratios within one run.
#
#   cargo build --release --bins --examples && benches/clean.sh     # 2 GiB, some minutes
#   SIZE=256M RUNS=1 benches/clean.sh tree                          # a short run of one case
#
# Cases: tree place gzip zstd bomb
#
# Every figure is the best of RUNS runs that take turns; files are in the page cache. A ratio of 1 is as fast as the
# program beside it. Everything is written below TMPDIR and removed at the end.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C

: "${SIZE:=2G}"    # of the tree, and of the one file
: "${FILES:=10000}"
: "${PACKED:=512M}" # of what is compressed
: "${EVERY:=1000}" # one line in so many carries a secret
: "${RUNS:=3}"
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
    python3 - "$@" << 'PY'
import resource, subprocess, sys, time
start = time.perf_counter()
end = subprocess.run(["bash", "-c", sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 0
if end.returncode != wanted:
    sys.exit(f"{sys.argv[1]}: exit {end.returncode}: {end.stderr.decode(errors='replace')[:500]}")
print(f"{seconds:.3f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10}")
PY
}

# compare NAME TARGET OTHER OURS [BEFORE-OURS]: runs both in turns and prints the ratio of their best times.
compare() {
    local name=$1 target=$2 other=$3 ours=$4 before=${5:-true} best_other=999999 best_ours=999999 peak=0 seconds memory
    for ((run = 0; run < RUNS; run++)); do
        read -r seconds memory < <(measure "$other")
        best_other=$(printf '%s\n%s\n' "$best_other" "$seconds" | sort -n | head -1)
        bash -c "$before"
        read -r seconds memory < <(measure "$ours")
        best_ours=$(printf '%s\n%s\n' "$best_ours" "$seconds" | sort -n | head -1)
        peak=$((memory > peak ? memory : peak))
    done
    awk -v name="$name" -v target="$target" -v other="$best_other" -v ours="$best_ours" -v peak="$peak" \
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
    compare "into a folder | tar c" 60% "tar c $tree | wc -c" "$INKOUT clean -q -o $work/out $tree" "rm -rf $work/out"
    rm -rf "$work/out" "$work/all.d" "$work/clean.d"
}

case_place() {
    "$corpus" --size "$SIZE" --every "$EVERY" --out "$work/all"
    sync
    heading "one file of $SIZE, one line in $EVERY with a secret"
    local other="cp $work/all $work/copy && sync $work/copy; rm $work/copy" before="cp $work/all $work/app.log && sync $work/app.log"
    compare "in place | cp + sync" 70% "$other" "$INKOUT clean -q -i $work/app.log" "$before"
    compare "in place, no verify | cp + sync" - "$other" "$INKOUT clean -q -i --no-verify $work/app.log" "$before"
    rm -f "$work/all" "$work/app.log"
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
