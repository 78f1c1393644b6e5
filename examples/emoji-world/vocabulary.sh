#!/bin/sh
# Stage 1, the vocabularies: FOLDER/gemma, as PaliGemma's (byte pairs that fall back to bytes; <loc>, <seg>, <image>), and
# FOLDER/siglip, as SigLIP's (unigrams of small letters), made by SentencePiece of the texts that texts.sh wrote.
#
#     vocabulary.sh PATH/TO/emoji-world TEXTS FOLDER [PIECES [SIGLIP_PIECES]]
set -eu
world=$1 texts=$2 folder=$3 pieces=${4:-3072} siglip_pieces=${5:-1536}
export LC_ALL=C.UTF-8
mkdir -p "$folder/gemma" "$folder/siglip"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

numbered() { # NAME COUNT DIGITS: <NAME0000>,<NAME0001>,...
    awk -v name="$1" -v count="$2" -v digits="$3" 'BEGIN {
        for (i = 0; i < count; i++)
            printf "%s<%s%0*d>", i ? "," : "", name, digits, i
    }'
}

# The names of its files are written into a model: they must be the same each time.
train() { # NAME OPTION...
    name=$1
    shift
    (cd "$work" && spm_train --minloglevel=2 --num_threads=1 --max_sentence_length=8192 --model_prefix="$name" "$@")
}

# As Gemma's: pieces keep every blank, nothing is normalised, each digit is a piece of its own, the newline is one too.
# All letters of signs are pieces; what is rarer than the coverage says is spelled in bytes.
grep . "$texts/text.txt" >"$work/text"
newline='
'
train gemma --input=text --model_type=bpe --vocab_size="$pieces" --byte_fallback=true \
    --normalization_rule_name=identity --add_dummy_prefix=false --remove_extra_whitespaces=false \
    --split_digits=true --allow_whitespace_only_pieces=true --character_coverage=0.9999 \
    --required_chars=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 \
    --pad_id=0 --pad_piece='<pad>' --eos_id=1 --eos_piece='<eos>' --bos_id=2 --bos_piece='<bos>' \
    --unk_id=3 --unk_piece='<unk>' --control_symbols='<image>' \
    --user_defined_symbols="$newline,$(numbered loc 1024 4),$(numbered seg 128 3)"
cp "$work/gemma.model" "$folder/gemma/tokenizer.model"
cat >"$folder/gemma/tokenizer_config.json" <<'END'
{
  "add_bos_token": true,
  "add_eos_token": false,
  "added_tokens_decoder": {
    "0": {"content": "<pad>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true},
    "1": {"content": "<eos>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true},
    "2": {"content": "<bos>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true},
    "3": {"content": "<unk>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true},
    "4": {"content": "<image>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true}
  },
  "additional_special_tokens": ["<image>"],
  "bos_token": "<bos>",
  "clean_up_tokenization_spaces": false,
  "eos_token": "<eos>",
  "pad_token": "<pad>",
  "processor_class": "PaliGemmaProcessor",
  "sp_model_kwargs": {},
  "spaces_between_special_tokens": false,
  "tokenizer_class": "GemmaTokenizer",
  "unk_token": "<unk>",
  "use_default_system_prompt": false
}
END

# As SigLIP's, which sees small letters without punctuation. SentencePiece only considers pieces that several different
# words share; so that whole words are considered, each frequent one is also given twice in a row.
"$world" pairs --out "$work/pairs" --scenes 40000
tr -d '[:punct:]' <"$work/pairs" | sed 's/.*/\L&/' >"$work/captions"
tr ' ' '\n' <"$work/captions" | sort | uniq -c | awk '$1 >= 40 { print $2 $2 }' >"$work/words"
train siglip --input=captions,words --model_type=unigram --vocab_size="$siglip_pieces" --character_coverage=1 \
    --required_chars=abcdefghijklmnopqrstuvwxyz0123456789 \
    --pad_id=0 --pad_piece='<pad>' --eos_id=1 --eos_piece='</s>' --unk_id=2 --unk_piece='<unk>' --bos_id=-1
cp "$work/siglip.model" "$folder/siglip/spiece.model"
cat >"$folder/siglip/tokenizer_config.json" <<'END'
{
  "added_tokens_decoder": {
    "1": {"content": "</s>", "lstrip": true, "normalized": false, "rstrip": true, "single_word": false, "special": true},
    "2": {"content": "<unk>", "lstrip": true, "normalized": false, "rstrip": true, "single_word": false, "special": true}
  },
  "additional_special_tokens": [],
  "clean_up_tokenization_spaces": true,
  "do_lower_case": true,
  "eos_token": "</s>",
  "model_input_names": ["input_ids"],
  "model_max_length": 64,
  "pad_token": "</s>",
  "processor_class": "SiglipProcessor",
  "sp_model_kwargs": {},
  "tokenizer_class": "SiglipTokenizer",
  "unk_token": "<unk>"
}
END
