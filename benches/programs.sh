#!/usr/bin/env bash
# The whole program against pipes, copy loops and rivals, as ratios within one run.
#
#   cargo build --release --bins --examples && benches/programs.sh            # 512 MiB, some minutes
#   SIZE=64M LINE_SIZE=64M RUNS=3 benches/programs.sh                         # a short run
#   benches/programs.sh file pipe                                             # some of the cases
#
# Cases: check file rivals pipe findings threads start memory latency adversarial
#
# Every row is the median of RUNS runs, and the programs of one table take turns, so that a change in the machine's
# temper falls on all of them. Believe the ratios; the GB/s are this machine's. Rivals that are not installed are
# named and left out. Everything is written below TMPDIR and removed at the end.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C

: "${SIZE:=512M}"        # of each corpus
: "${SLOW_SIZE:=32M}"    # of the part of the clean corpus that slow rivals read
: "${LINE_SIZE:=1G}"     # of the longest line
: "${CASE_SIZE:=1048576}" # n of the adversarial doubling, in bytes
: "${RUNS:=5}"
: "${STARTS:=200}"
: "${LINES_WAITED:=300}"
: "${BUILD:=target/release}"
: "${INKOUT:=$BUILD/inkout}"
: "${INKOUT_NOSCAN:=}"   # a binary built with --features bench-noscan
copyloop=$BUILD/examples/copyloop
corpus=$BUILD/examples/corpus

for tool in "$INKOUT" "$copyloop" "$corpus"; do
    [[ -x $tool ]] || { echo "$tool is missing: cargo build --release --bins --examples" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- Measuring -------------------------------------------------------------------------------------------------------

have() { command -v "$1" > /dev/null; }

# Microseconds that a command or function takes.
clock() {
    local start=${EPOCHREALTIME/./}
    "$@"
    took=$((${EPOCHREALTIME/./} - start))
}

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

# table TITLE FUNCTION...: runs the functions in turns; leaves the median of each in micros[FUNCTION]. The first one is
# the baseline. label[FUNCTION] is what the row is called, bytes[FUNCTION] what it reads.
declare -A label bytes micros
table() {
    local title=$1 run name
    shift
    rm -f "$work"/times.*
    for ((run = 0; run < RUNS; run++)); do
        for name in "$@"; do
            clock "$name"
            echo "$took" >> "$work/times.$name"
        done
    done
    printf '\n%-58s %8s %8s %8s\n' "$title" seconds GB/s ratio
    for name in "$@"; do
        micros[$name]=$(median < "$work/times.$name")
        row "${label[$name]}" "${micros[$name]}" "${bytes[$name]}" "${micros[$1]}" "${bytes[$1]}"
    done
}

# The ratio is of speeds, since the tables' corpora differ by a line in size.
row() {
    awk -v name="$1" -v t="$2" -v b="$3" -v t0="$4" -v b0="$5" \
        'BEGIN { printf "  %-56s %8.3f %8.3f %8.3f\n", name, t / 1e6, b / t / 1e3, (b / t) / (b0 / t0) }'
}

# Peak resident memory of a command, in MiB.
peak() {
    if [[ -x /usr/bin/time ]]; then
        /usr/bin/time -o "$work/peak" -f %M "$@" > /dev/null
    else
        python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL)
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))' "$work/peak" "$@"
    fi
    awk 'END { printf "%8.1f MiB\n", $1 / 1024 }' "$work/peak"
}

# --- Inputs ----------------------------------------------------------------------------------------------------------

clean=$work/clean.log sparse=$work/sparse.log dense=$work/dense.log slow=$work/slow.log one=$work/one.log

make_inputs() {
    "$corpus" --size "$SIZE" --seed 1 --out "$clean"
    "$corpus" --size "$SIZE" --seed 2 --every 100 --out "$sparse" --truth "$sparse.tsv"
    "$corpus" --size "$SIZE" --seed 3 --every 5 --out "$dense" --truth "$dense.tsv"
    head -c "$SLOW_SIZE" "$clean" > "$slow"
    head -n 1 "$clean" > "$one"
}

size_of() { stat -c %s "$1"; }

header() {
    local rival
    echo "processor  $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sed -n 1p), $(nproc) online"
    echo "kernel     $(uname -sr)"
    echo "inkout     $("$INKOUT" --version 2> /dev/null | sed -n 1p)"
    for rival in rg sed; do
        have "$rival" && echo "rival      $("$rival" --version | sed -n 1p)"
    done
    echo "corpora    $SIZE each, median of $RUNS runs"
}

# --- Cases -----------------------------------------------------------------------------------------------------------

# A wrong answer is not worth timing.
case_check() {
    printf '\nanswers, by line\n'
    have python3 || { echo "  skipped: python3 is not installed"; return; }
    local input
    for input in "$clean" "$sparse" "$dense"; do
        "$INKOUT" "$input" > "$work/out"
        echo "  ${input##*/}: $(benches/agreement.py "$input" "$work/out" $([[ -f $input.tsv ]] && echo "$input.tsv"))"
    done
    rm "$work/out"
}

copy_file() { "$copyloop" "$clean" > /dev/null; }
inkout_file() { "$INKOUT" -j1 "$clean" > /dev/null; }
inkout_two() { "$INKOUT" -j2 "$clean" > /dev/null; }
inkout_sparse() { "$INKOUT" -j1 "$sparse" > /dev/null; }
inkout_dense() { "$INKOUT" -j1 "$dense" > /dev/null; }
inkout_slow() { "$INKOUT" -j1 "$slow" > /dev/null; }
# Status 1 means that nothing matched.
rg_slow() {
    rg -j1 -a -N --no-config --passthru -r '[REDACTED]' -f benches/rivals/tokens100.txt "$slow" > /dev/null || (($? == 1))
}
sed_slow() { sed -E -f benches/rivals/sed10.sed "$slow" > /dev/null; }
cat_pipe() { cat "$clean" | cat | cat > /dev/null; }
inkout_pipe() { cat "$clean" | "$INKOUT" | cat > /dev/null; }
noscan_pipe() { cat "$clean" | "$INKOUT_NOSCAN" 2> /dev/null | cat > /dev/null; }

case_file() { table "file to /dev/null, one thread" copy_file inkout_file; }

case_rivals() {
    local names=(inkout_slow)
    if have rg; then names+=(rg_slow); else echo "rg is not installed: row skipped"; fi
    if have sed; then names+=(sed_slow); else echo "sed is not installed: row skipped"; fi
    table "file to /dev/null, one thread, $SLOW_SIZE" "${names[@]}"
}

case_pipe() {
    local names=(cat_pipe inkout_pipe)
    if [[ -x $INKOUT_NOSCAN ]]; then names+=(noscan_pipe); fi
    table "cat file | ... | cat > /dev/null" "${names[@]}"
    [[ -x $INKOUT_NOSCAN ]] || echo "  without scanning: skipped, INKOUT_NOSCAN names no binary built with bench-noscan"
}

case_findings() {
    table "one thread, lines with secrets" inkout_file inkout_sparse inkout_dense
    local name input
    for name in inkout_sparse inkout_dense; do
        if [[ $name == inkout_sparse ]]; then input=$sparse; else input=$dense; fi
        awk -v name="${label[$name]}" -v t="${micros[$name]}" -v b="${bytes[$name]}" -v t0="${micros[inkout_file]}" \
            -v b0="${bytes[inkout_file]}" -v n="$(wc -l < "$input.tsv")" \
            'BEGIN { printf "  %-56s %8.0f ns per finding, %d planted\n", name, (t - t0 * b / b0) * 1000 / n, n }'
    done
}

case_threads() { table "file to /dev/null, threads" inkout_file inkout_two; }

one_line() { "$@" < "$one" > /dev/null; }

case_start() {
    printf '\nstart to end on one line, median of %d\n' "$STARTS"
    local program run
    for program in cat "$INKOUT"; do
        for ((run = 0; run < STARTS; run++)); do
            clock one_line "$program"
            echo "$took"
        done | median | awk -v name="${program##*/}" '{ printf "  %-56s %8.2f ms\n", name, $1 / 1000 }'
    done
}

case_memory() {
    printf '\npeak resident memory\n'
    printf '  %-56s %s\n' "stream of $SIZE" "$(cat "$dense" | peak "$INKOUT")"
    printf '  %-56s %s\n' "file of $SIZE, 8 threads" "$(peak "$INKOUT" -j8 "$dense")"
    printf '  %-56s %s\n' "one line of $LINE_SIZE" \
        "$(head -c "$LINE_SIZE" /dev/zero | tr '\0' a | peak "$INKOUT")"
}

case_latency() {
    printf '\na line in a quiet pipe, there and back, %d lines\n' "$LINES_WAITED"
    have python3 || { echo "  skipped: python3 is not installed"; return; }
    local program
    for program in cat "$INKOUT"; do
        printf '  %-56s %s\n' "${program##*/}" "$(benches/latency.py --lines "$LINES_WAITED" -- "$program")"
    done
}

case_adversarial() {
    printf '\ntwice the hard input, how much more time\n'
    have python3 || { echo "  skipped: python3 is not installed"; return; }
    benches/adversarial.py --size "$CASE_SIZE" --runs "$RUNS" -- "$INKOUT" || status=1
}

# --- All together ----------------------------------------------------------------------------------------------------

status=0
make_inputs
cat "$clean" "$sparse" "$dense" > /dev/null
label=(
    [copy_file]="read and write in blocks of 256 KiB" [inkout_file]="inkout -j1" [inkout_two]="inkout -j2"
    [inkout_sparse]="inkout -j1, 1 line in 100" [inkout_dense]="inkout -j1, 1 line in 5" [inkout_slow]="inkout -j1"
    [rg_slow]="rg --passthru -r, 100 token patterns" [sed_slow]="sed -E, 10 substitutions"
    [cat_pipe]="cat" [inkout_pipe]="inkout" [noscan_pipe]="inkout without scanning"
)
for name in "${!label[@]}"; do bytes[$name]=$(size_of "$clean"); done
for name in inkout_slow rg_slow sed_slow; do bytes[$name]=$(size_of "$slow"); done
bytes[inkout_sparse]=$(size_of "$sparse") bytes[inkout_dense]=$(size_of "$dense")

header
cases=("$@")
((${#cases[@]})) || cases=(check file rivals pipe findings threads start memory latency adversarial)
for name in "${cases[@]}"; do
    declare -F "case_$name" > /dev/null || { echo "unknown case \`$name\`" >&2; exit 2; }
    "case_$name"
done
exit "$status"
