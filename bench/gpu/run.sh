#!/bin/sh
# paligemma and torch on this machine's GPU, on the same weights: two tables, as Markdown.
#
#     bench/gpu/run.sh FOLDER [MODEL] [ARGUMENT...]
#
# FOLDER receives the lines of JSON and, where no MODEL is named, a PaliGemma of 3 billion random numbers (5.9 GB). ARGUMENTs
# go to both programs: --sizes 224 --train lora --batch 4. PALIGEMMA: the program (build/paligemma). PYTHON: one that has
# torch, transformers, peft, numpy and Pillow (python3).
set -eu
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3} program=${PALIGEMMA:-$here/../../build/paligemma}
folder=$1 model=$1/random-3b
shift
case ${1:--} in -*) ;; *) model=$1 && shift ;; esac
mkdir -p "$folder"

if [ ! -e "$model/config.json" ]; then
    # Training reads real texts: Gemma's vocabulary is among the tests' data.
    xz -dc "$here/../../tests/golden/tokenizer/tokenizer.model.xz" >"$folder/tokenizer.model"
    "$python" "$here/peers.py" --make "$model" --tokenizer "$folder"
fi
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
"$python" "$here/ours.py" "$model" --program "$program" "$@" | tee "$folder/lines.jsonl"
"$python" "$here/peers.py" "$model" "$@" | tee -a "$folder/lines.jsonl"
"$python" "$here/workload.py" "$folder/lines.jsonl"
