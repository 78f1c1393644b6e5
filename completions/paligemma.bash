# Completion of paligemma for bash. Made by 'paligemma help --format bash'; do not edit.
_paligemma()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} options folders files words others
    local commands='caption ask ocr detect segment generate classify index search embed explain trace preprocess tokenize inspect perplexity eval score robustness bench quantize merge init data train gradients plot mask parse draw sheet serve feedback help '
    # --name=VALUE arrives as three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $command in
    caption)
        options=' --lang --candidates -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --candidates '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --lang --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    ask)
        options=' --lang --candidates -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --candidates '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --lang --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    ocr)
        options=' --candidates -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --candidates '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    detect)
        options=' --max-objects --threshold --free -o --out --json --no-pictures -m --model --adapter --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --max-objects --threshold --adapter -t --threads '
        ;;
    segment)
        options=' --codec --masks --max-objects --threshold --free -o --out --json --no-pictures -m --model --adapter --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --codec -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --masks --max-objects --threshold --adapter -t --threads '
        ;;
    generate)
        options=' --image -p --prompt --prompt-file --chat --candidates --batch -o --output --parallel -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --image --prompt-file --candidates --batch -o --output '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -p --prompt --parallel --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits -t --threads '
        ;;
    classify)
        options=' -m --model --adapter --labels --template --head --softmax --top --json --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --head '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter --labels --template --top -t --threads '
        ;;
    index)
        options=' -m --model --adapter -o --out --dtype --compare-contents --json --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' '
        words=' --dtype=auto|f32|bf16 --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter -o --out -t --threads '
        ;;
    search)
        options=' -m --model --adapter --image -n --count -o --out --json --no-pictures --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --image '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter -n --count -o --out -t --threads '
        ;;
    embed)
        options=' -m --model --adapter --image --text -o --out --json --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter --text -t --threads '
        ;;
    explain)
        options=' -p --prompt --answer -n --max-new-tokens --special --text -m --model --adapter --method --tower --layers -o --out --arrays --json --no-pictures --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --arrays '
        words=' --method=auto|gradient|rollout|attention|similarity --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -p --prompt --answer -n --max-new-tokens --text --adapter --layers -o --out -t --threads '
        ;;
    trace)
        options=' -m --model --adapter --image -p --prompt --chat --special -o --out --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter -p --prompt -t --threads '
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
        options=' -m --model --adapter -w --window --json --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' '
        words=' --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter -w --window -t --threads '
        ;;
    eval)
        options=' -m --model --adapter --data --limit -o --out --task --annotations --images --codec --parallel --max-new-tokens --blank --free --labels --template --report --title --worst --each --json --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --data -o --out --annotations --codec --report '
        words=' --task=caption|vqa|textvqa|docvqa|chartqa|ocr|detect|segment|refcoco|classify|retrieval --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter --limit --images --parallel --max-new-tokens --labels --template --title --worst -t --threads '
        ;;
    score)
        options=' --predictions --references --task --annotations --images --codec --report --title --worst --each --json -h --help'
        folders=' '
        files=' --predictions --references --annotations --codec --report '
        words=' --task=caption|vqa|textvqa|docvqa|chartqa|ocr|detect|segment|refcoco|classify|retrieval '
        others=' --images --title --worst '
        ;;
    robustness)
        options=' -m --model --adapter --data --images --rows --labels --template --head --corruption --severity --seed --json --sheet --max-new-tokens --batch --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --data --head --sheet '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter --images --rows --labels --template --corruption --severity --seed --max-new-tokens --batch -t --threads '
        ;;
    bench)
        options=' -m --model --adapter --image-size -p --prompt-tokens -n --new-tokens -b --batch -r --repeat --json --profile --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' '
        words=' --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --adapter --image-size -p --prompt-tokens -n --new-tokens -b --batch -r --repeat -t --threads '
        ;;
    quantize)
        options=' -m --model --to -o --out --keep --block --calibrate --evaluate --window --json -t --threads -h --help'
        folders=' -m --model '
        files=' --calibrate --evaluate '
        words=' --to=int8|int4 '
        others=' -o --out --keep --block --window -t --threads '
        ;;
    merge)
        options=' -m --model --adapter -o --out --dtype --shard-size -h --help'
        folders=' -m --model '
        files=' '
        words=' --dtype=stored|f32|bf16|f16 '
        others=' --adapter -o --out --shard-size '
        ;;
    init)
        options=' --config --tokenizer --from --from-vision --from-text --image-size --smooth-locations --seed -o --out --dtype --shard-size -h --help'
        folders=' '
        files=' --config '
        words=' --dtype=stored|f32|bf16|f16 '
        others=' --tokenizer --from --from-vision --from-text --image-size --seed -o --out --shard-size '
        ;;
    data)
        options=' -m --model --kind --images --split --prefix --annotations --image-name --codec --together --max-bad -n --rows --sample --context --style --special --json -o --out --no-exif --order -t --threads -h --help'
        folders=' -m --model '
        files=' --annotations --codec -o --out '
        words=' --kind=auto|jsonl|coco-captions|coco-detect|coco-segment|vqa|text|shards|masks|mask-folders --style=task|text|chat --order=pillow13|classic '
        others=' --images --split --prefix --image-name --max-bad -n --rows --sample --context -t --threads '
        ;;
    train)
        options=' --config -m --model -o --out --recipe --data --validation --codec --objective --reference --beta --text-model --train --adapter --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --lora-rslora --steps --epochs --batch --micro-batch --text-length --optimizer --learning-rate --schedule --warmup --final-rate --timescale --weight-decay --decay --beta1 --beta2 --epsilon --momentum --relative-step --relative-scale --step-clip --decay-exponent --clip --average --reduction --label-smoothing --dropout --compute --checkpointing -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --style --long-rows --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence --dtype --json -h --help'
        folders=' -m --model --reference --text-model '
        files=' --config --data --validation --codec '
        words=' '
        others=' -o --out --recipe --objective --beta --train --adapter --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --steps --epochs --batch --micro-batch --text-length --optimizer --learning-rate --schedule --warmup --final-rate --timescale --weight-decay --decay --beta1 --beta2 --epsilon --momentum --relative-scale --step-clip --decay-exponent --clip --average --reduction --label-smoothing --dropout --compute -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --style --long-rows --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence --dtype '
        ;;
    gradients)
        options=' -o --out --config -m --model -o --out --recipe --data --validation --codec --objective --reference --beta --text-model --train --adapter --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --lora-rslora --steps --epochs --batch --micro-batch --text-length --optimizer --learning-rate --schedule --warmup --final-rate --timescale --weight-decay --decay --beta1 --beta2 --epsilon --momentum --relative-step --relative-scale --step-clip --decay-exponent --clip --average --reduction --label-smoothing --dropout --compute --checkpointing -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --style --long-rows --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence --dtype -h --help'
        folders=' -m --model --reference --text-model '
        files=' -o --out --config --data --validation --codec '
        words=' '
        others=' -o --out --recipe --objective --beta --train --adapter --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --steps --epochs --batch --micro-batch --text-length --optimizer --learning-rate --schedule --warmup --final-rate --timescale --weight-decay --decay --beta1 --beta2 --epsilon --momentum --relative-scale --step-clip --decay-exponent --clip --average --reduction --label-smoothing --dropout --compute -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --style --long-rows --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence --dtype '
        ;;
    plot)
        options=' -o --out --width --height --tags --smooth --log -h --help'
        folders=' '
        files=' -o --out '
        words=' '
        others=' --width --height --tags --smooth '
        ;;
    mask)
        options=' --codec -o --out --json -t --threads -h --help'
        folders=' '
        files=' --codec -o --out '
        words=' '
        others=' -t --threads '
        ;;
    parse)
        options=' --size --text --batch -h --help'
        folders=' '
        files=' --batch '
        words=' '
        others=' --size --text '
        ;;
    draw)
        options=' --objects --text --codec -o --out --opacity --line --letters --no-pictures -h --help'
        folders=' '
        files=' --objects --codec -o --out '
        words=' '
        others=' --text --opacity --line --letters '
        ;;
    sheet)
        options=' --columns --cell --captions --no-captions -o --out --no-pictures -h --help'
        folders=' '
        files=' --captions -o --out '
        words=' '
        others=' --columns --cell '
        ;;
    serve)
        options=' -m --model --name --adapter --siglip --siglip-name --codec --host --port --api-key-file --connections --timeout --max-body --max-pixels --allow-image-host --max-images --np --queue -c --context --deadline --grace --feedback --feedback-images --feedback-bytes --metrics --slow --log-content -q --quiet --check --no-exif --order --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model '
        files=' --codec --api-key-file --feedback '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --name --adapter --siglip --siglip-name --host --port --connections --timeout --max-body --max-pixels --allow-image-host --max-images --np --queue -c --context --deadline --grace --feedback-bytes --slow -t --threads '
        ;;
    feedback)
        options=' -n --limit --json -o --out --kind --approved -p --prompt --answer --judgement --correction --image --keep --task -m --model --request -h --help'
        folders=' '
        files=' -o --out --image '
        words=' --kind=sft|dpo --judgement=none|up|down '
        others=' -n --limit -p --prompt --answer --correction --task -m --model --request '
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
