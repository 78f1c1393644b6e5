#!/usr/bin/env bash
# This program beside its peers: transformers with torch, and llama.cpp through llama-cpp-python, taking turns on the same
# shapes with random weights of the full size. Prints tables for docs/BENCHMARKS.md.
#
#   tools/compare.sh --venv DIR [--work DIR] [--model CHECKPOINT] [--int8 CHECKPOINT] [--int4 CHECKPOINT]
#                    [--peers "transformers llama.cpp"] [OPTION OF bench/compare.py]...
#
# --venv    a Python environment outside this tree; what it lacks is installed: torch and transformers as they are
#           published, llama-cpp-python built from its sources for this processor (minutes)
# --work    where checkpoints and results lie (default: the environment's folder); 6 GB, with llama.cpp 15 GB
# --model   a PaliGemma checkpoint in bf16 (default: one with random weights is made)
# --int8, --int4   the same quantised; without them these are not compared
#
# Let nothing else run meanwhile: on two cores, three sizes take about an hour and a half, most of it the peers'.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv='' work='' model='' peers="transformers llama.cpp"
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
    --peers) peers=$2 && shift 2 ;;
    --int8 | --int4) quantised+=("$1" "$2") && shift 2 ;;
    -h | --help) usage ;;
    *) options+=("$1") && shift ;;
    esac
done
[[ $venv ]] || usage
python=$venv/bin/python
work=${work:-$venv/compare}

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
    options+=(--transformers)
fi
if wants llama.cpp; then
    has gguf || "$python" -m pip install -q gguf
    has llama_cpp || CMAKE_ARGS=-DGGML_NATIVE=ON "$python" -m pip install -q --no-binary llama-cpp-python llama-cpp-python
    options+=(--gguf "$work/gguf")
fi

[[ -x $root/build/paligemma ]] || "$root/build.sh" build
mkdir -p "$work"
if [[ ! $model ]]; then
    model=$work/random-3b
    [[ -f $model/complete ]] || "$python" "$root/tools/make_random_checkpoint.py" "$model"
    touch "$model/complete"
fi
if wants llama.cpp; then
    "$python" "$root/bench/time_llamacpp.py" make "$model" "$work/gguf"
fi
"$python" "$root/bench/compare.py" --program "$root/build/paligemma" --model "$model" --out "$work/turns.jsonl" \
    "${quantised[@]}" "${options[@]}"
