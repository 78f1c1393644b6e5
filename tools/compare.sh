#!/usr/bin/env bash
# This program beside its peers: transformers with torch, and llama.cpp through llama-cpp-python, taking turns on the same
# shapes with random weights of the full size. Prints tables for docs/BENCHMARKS.md.
#
#   tools/compare.sh --venv DIR [--work DIR] [--model CHECKPOINT] [--int8 CHECKPOINT] [--int4 CHECKPOINT]
#                    [--gguf FOLDER] [--out FILE.jsonl] [--peers "transformers llama.cpp"] [--dtypes "bf16"]
#                    [OPTION OF bench/compare.py]...
#
# --venv    a Python environment outside this tree; what it lacks is installed: torch and transformers as they are
#           published, llama-cpp-python built from its sources for this processor (minutes)
# --work    where checkpoints and results lie (default: the environment's folder); 6 GB, with llama.cpp 15 GB
# --model   a PaliGemma checkpoint in bf16 (default: one with random weights is made)
# --int8, --int4   the same quantised; without them these are not compared
# --gguf    where llama.cpp's files are or are made (default: gguf in --work)
# --out     where every turn is kept (default: turns.jsonl in --work): runs of several sizes and days add up there, and
#           the tables are of all that it has
# --dtypes  what transformers computes in: bf16, f32 or both (f32: 18 GB while it loads). Without instructions for bf16 it
#           is several times faster in f32
#
# Let nothing else run meanwhile. Five rounds on two cores, everything compared, about:
#   --sizes 224 --new-tokens 16                 8 minutes
#   --sizes 448 --new-tokens 4 --once           5
#   --sizes 896 --new-tokens 2 --once           25
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv='' work='' model='' gguf='' out='' peers="transformers llama.cpp" dtypes=bf16
quantised=() options=()

usage() {
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

while [[ $# -gt 0 ]]; do
    case $1 in
    --venv) venv=$2 && shift 2 ;;
    --work) work=$2 && shift 2 ;;
    --model) model=$2 && shift 2 ;;
    --gguf) gguf=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    --peers) peers=$2 && shift 2 ;;
    --dtypes) dtypes=$2 && shift 2 ;;
    --int8 | --int4) quantised+=("$1" "$2") && shift 2 ;;
    -h | --help) usage ;;
    *) options+=("$1") && shift ;;
    esac
done
[[ $venv ]] || usage
python=$venv/bin/python
work=${work:-$venv/compare}
gguf=${gguf:-$work/gguf}
out=${out:-$work/turns.jsonl}

wants() {
    [[ " $peers " == *" $1 "* ]]
}

has() {
    "$python" -c "import $1" 2>/dev/null
}

[[ -x $python ]] || python3 -m venv "$venv"
has numpy || "$python" -m pip install -q numpy
if wants transformers; then
    # PyPI's torch brings a GPU's libraries along; the index for processors alone does not.
    has torch || "$python" -m pip install -q torch --index-url https://download.pytorch.org/whl/cpu ||
        "$python" -m pip install -q torch
    has transformers || "$python" -m pip install -q transformers
    # shellcheck disable=SC2206 # words
    options+=(--transformers $dtypes)
fi
if wants llama.cpp; then
    has gguf || "$python" -m pip install -q gguf
    has llama_cpp || CMAKE_ARGS=-DGGML_NATIVE=ON "$python" -m pip install -q --no-binary llama-cpp-python llama-cpp-python
    options+=(--gguf "$gguf")
fi

[[ -x $root/build/paligemma ]] || "$root/build.sh" build
mkdir -p "$work"
if [[ ! $model ]]; then
    model=$work/random-3b
    [[ -f $model/complete ]] || "$python" "$root/tools/make_random_checkpoint.py" "$model"
    touch "$model/complete"
fi
if wants llama.cpp; then
    "$python" "$root/bench/time_llamacpp.py" make "$model" "$gguf"
fi
"$python" "$root/bench/compare.py" --program "$root/build/paligemma" --model "$model" --out "$out" \
    "${quantised[@]}" "${options[@]}"
