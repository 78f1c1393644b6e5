# Completion of paligemma for bash. Made by 'paligemma help --format bash'; do not edit.
_paligemma()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} options folders files words others
    local commands='caption ask ocr generate embed trace preprocess tokenize inspect perplexity bench quantize help '
    # --name=VALUE arrives as three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $command in
    caption)
        options=' --lang -m --model -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --top-logits --stats --no-exif --order --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 '
        others=' --lang -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    ask)
        options=' --lang -m --model -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --top-logits --stats --no-exif --order --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 '
        others=' --lang -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    ocr)
        options=' -m --model -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --top-logits --stats --no-exif --order --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 '
        others=' -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    generate)
        options=' --image -p --prompt --prompt-file --chat --candidates --batch -o --output --parallel -m --model -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --top-logits --stats --no-exif --order --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' --image --prompt-file --candidates --batch -o --output '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 '
        others=' -p --prompt --parallel -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    embed)
        options=' -m --model --image --text -o --out --json --no-exif --order --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 '
        others=' --text -t --threads '
        ;;
    trace)
        options=' -m --model --image -p --prompt --chat --special -o --out --no-exif --order --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 '
        others=' -p --prompt -t --threads '
        ;;
    preprocess)
        options=' -s --size -o --out --no-exif --order -h --help'
        folders=' '
        files=' -o --out '
        words=' --order=pillow13|classic '
        others=' -s --size '
        ;;
    tokenize)
        options=' -m --model --tokenizer -d --decode --batch --special --bos --eos --skip-special --json -h --help'
        folders=' -m --model '
        files=' --tokenizer --batch '
        words=' '
        others=' -d --decode '
        ;;
    inspect)
        options=' -m --model --json -h --help'
        folders=' -m --model '
        files=' '
        words=' '
        others=' '
        ;;
    perplexity)
        options=' -m --model -w --window --json --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' '
        words=' --compute=auto|f32|bf16|int8 '
        others=' -w --window -t --threads '
        ;;
    bench)
        options=' -m --model --image-size -p --prompt-tokens -n --new-tokens -b --batch -r --repeat --json --profile --compute -t --threads --prefault --mlock -h --help'
        folders=' -m --model '
        files=' '
        words=' --compute=auto|f32|bf16|int8 '
        others=' --image-size -p --prompt-tokens -n --new-tokens -b --batch -r --repeat -t --threads '
        ;;
    quantize)
        options=' -m --model --to -o --out --keep --block --json -t --threads -h --help'
        folders=' -m --model '
        files=' '
        words=' --to=int8|int4 '
        others=' -o --out --keep --block -t --threads '
        ;;
    help)
        options=' -h --help'
        folders=' '
        files=' '
        words=' '
        others=' '
        ;;
    esac
    local offer=(-f)
    if ((COMP_CWORD == 1)); then
        offer=(-W "$commands --help --version")
    elif [[ $before == help ]]; then
        offer=(-W "$commands")
    elif [[ $folders == *" $before "* ]]; then
        offer=(-d)
    elif [[ $words =~ " $before="([^ ]*) ]]; then
        offer=(-W "${BASH_REMATCH[1]//|/ }")
    elif [[ $others == *" $before "* ]]; then
        offer=(-W '')
    elif [[ $files != *" $before "* && $word == -* ]]; then
        offer=(-W "$options")
    fi
    mapfile -t COMPREPLY < <(compgen "${offer[@]}" -- "$word")
}
complete -o filenames -F _paligemma paligemma
