# Completion of paligemma for bash. Made by 'paligemma help --format bash'; do not edit.
_paligemma()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} options folders files words others verbs
    local commands='caption ask ocr detect segment generate classify index search embed explain trace preprocess tokenize inspect perplexity eval score robustness bench quantize merge convert init pull data train gradients plot mask parse draw sheet serve feedback help '
    # --name=VALUE arrives as three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $command in
    caption)
        options=' --lang --candidates -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --candidates '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --lang -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits --device -t --threads '
        verbs=''
        ;;
    ask)
        options=' --lang --candidates -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --candidates '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --lang -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits --device -t --threads '
        verbs=''
        ;;
    ocr)
        options=' --candidates -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --candidates '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits --device -t --threads '
        verbs=''
        ;;
    detect)
        options=' --max-objects --threshold --free -o --out --json --no-pictures -m --model --adapter --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --max-objects --threshold --device -t --threads '
        verbs=''
        ;;
    segment)
        options=' --codec --masks --max-objects --threshold --free -o --out --json --no-pictures -m --model --adapter --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' --masks -m --model --adapter '
        files=' --codec -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --max-objects --threshold --device -t --threads '
        verbs=''
        ;;
    generate)
        options=' --image -p --prompt --prompt-file --chat --candidates --batch -o --output --parallel -m --model --adapter -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --early-stopping --speculate --special --json --scores --top-logits --stats --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --image --prompt-file --candidates --batch -o --output '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -p --prompt --parallel -n --max-new-tokens --max-length --min-new-tokens --stop --temperature --top-k --top-p --min-p --seed --repetition-penalty --no-repeat-ngram-size --beams --beams-returned --length-penalty --speculate --top-logits --device -t --threads '
        verbs=''
        ;;
    classify)
        options=' -m --model --adapter --labels --template --head --softmax --top --json --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --head '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --labels --template --top --device -t --threads '
        verbs=''
        ;;
    index)
        options=' -m --model --adapter -o --out --dtype --compare-contents --json --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' -o --out '
        words=' --dtype=auto|f32|bf16 --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --device -t --threads '
        verbs=''
        ;;
    search)
        options=' -m --model --adapter --image -n --count -o --out --json --no-pictures --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -n --count --device -t --threads '
        verbs=''
        ;;
    embed)
        options=' -m --model --adapter --image --text -o --out --json --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --text --device -t --threads '
        verbs=''
        ;;
    explain)
        options=' -p --prompt --answer -n --max-new-tokens --special --text -m --model --adapter --method --tower --layers -o --out --arrays --json --no-pictures --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' -o --out --arrays '
        words=' --method=auto|gradient|rollout|attention|similarity --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -p --prompt --answer -n --max-new-tokens --text --layers --device -t --threads '
        verbs=''
        ;;
    trace)
        options=' -m --model --adapter --image -p --prompt --chat --special -o --out --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' --image -o --out '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -p --prompt --device -t --threads '
        verbs=''
        ;;
    preprocess)
        options=' -s --size -o --out --no-exif --order -h --help'
        folders=' '
        files=' -o --out '
        words=' --order=pillow13|classic '
        others=' -s --size '
        verbs=''
        ;;
    tokenize)
        options=' -m --model --tokenizer -d --decode --batch --special --bos --eos --skip-special --json -h --help'
        folders=' -m --model '
        files=' --tokenizer --batch '
        words=' '
        others=' -d --decode '
        verbs=''
        ;;
    inspect)
        options=' -m --model --json -h --help'
        folders=' -m --model '
        files=' '
        words=' '
        others=' '
        verbs=''
        ;;
    perplexity)
        options=' -m --model --adapter -w --window --json --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' '
        words=' --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' -w --window --device -t --threads '
        verbs=''
        ;;
    eval)
        options=' -m --model --adapter --data --limit -o --out --task --annotations --images --codec --parallel --max-new-tokens --blank --free --fit-scores --labels --template --report --title --worst --each --json --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter --images '
        files=' --data -o --out --annotations --codec --report '
        words=' --task=caption|vqa|textvqa|docvqa|chartqa|ocr|detect|segment|refcoco|classify|retrieval --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --limit --parallel --max-new-tokens --labels --template --title --worst --device -t --threads '
        verbs=''
        ;;
    score)
        options=' --predictions --references --task --annotations --images --codec --report --title --worst --each --json -h --help'
        folders=' --images '
        files=' --predictions --references --annotations --codec --report '
        words=' --task=caption|vqa|textvqa|docvqa|chartqa|ocr|detect|segment|refcoco|classify|retrieval '
        others=' --title --worst '
        verbs=''
        ;;
    robustness)
        options=' -m --model --adapter --data --images --rows --labels --template --head --corruption --severity --seed --json --sheet --max-new-tokens --batch --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter --images '
        files=' --data --head --sheet '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --rows --labels --template --corruption --severity --seed --max-new-tokens --batch --device -t --threads '
        verbs=''
        ;;
    bench)
        options=' -m --model --adapter --image-size -p --prompt-tokens -n --new-tokens -b --batch -r --repeat --once --json --profile --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --adapter '
        files=' '
        words=' --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --image-size -p --prompt-tokens -n --new-tokens -b --batch -r --repeat --device -t --threads '
        verbs=''
        ;;
    quantize)
        options=' -m --model --to -o --out --keep --block --calibrate --evaluate --window --json -t --threads -h --help'
        folders=' -m --model -o --out '
        files=' --calibrate --evaluate '
        words=' --to=int8|int4 '
        others=' --keep --block --window -t --threads '
        verbs=''
        ;;
    merge)
        options=' -m --model --adapter --with --share -o --out --dtype --shard-size -h --help'
        folders=' -m --model --adapter --with -o --out '
        files=' '
        words=' --dtype=stored|f32|bf16|f16 '
        others=' --share --shard-size '
        verbs=''
        ;;
    convert)
        options=' -m --model --adapter --tokenizer --config -o --out --dtype --shard-size --to --compress --no-check --json -t --threads -h --help'
        folders=' -m --model --adapter --tokenizer -o --out '
        files=' --config '
        words=' --dtype=stored|f32|bf16|f16 --to=auto|safetensors|npz|gguf '
        others=' --shard-size -t --threads '
        verbs=''
        ;;
    init)
        options=' --config --tokenizer --from --from-vision --from-text --image-size --smooth-locations --seed -o --out --dtype --shard-size -h --help'
        folders=' --tokenizer --from --from-vision --from-text -o --out '
        files=' --config '
        words=' --dtype=stored|f32|bf16|f16 '
        others=' --image-size --seed --shard-size '
        verbs=''
        ;;
    pull)
        options=' --revision --include --connections --progress -h --help'
        folders=' '
        files=' '
        words=' '
        others=' --revision --include --connections '
        verbs=''
        ;;
    data)
        options=' -m --model --kind --images --split --prefix --annotations --image-name --codec --together --max-bad -n --rows --sample --context --style --special --json -o --out --no-exif --order -t --threads -h --help'
        folders=' -m --model --images '
        files=' --annotations --codec -o --out '
        words=' --kind=auto|jsonl|coco-captions|coco-detect|coco-segment|vqa|text|shards|masks|mask-folders --style=task|text|chat --order=pillow13|classic '
        others=' --split --prefix --image-name --max-bad -n --rows --sample --context -t --threads '
        verbs='check convert'
        ;;
    train)
        options=' --config -m --model -o --out --recipe --data --validation --codec --objective --reference --beta --text-model --train --adapter --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --lora-rslora --steps --epochs --batch --micro-batch --text-length --optimizer --learning-rate --schedule --warmup --final-rate --timescale --weight-decay --decay --beta1 --beta2 --epsilon --momentum --relative-step --relative-scale --step-clip --decay-exponent --clip --average --reduction --label-smoothing --dropout --compute --device --checkpointing -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --style --long-rows --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence --dtype --json -h --help'
        folders=' -m --model -o --out --reference --text-model --adapter '
        files=' --config --data --validation --codec '
        words=' --objective=sft|lm|siglip|dpo|classifier|maskcodec --optimizer=adamw|adamw8|adafactor|sgd|muon --schedule=cosine|linear|constant|rsqrt --decay=matrices|all --relative-scale=true|false --reduction=tokens|examples --compute=auto|f32|bf16 --device=cpu|cuda|cuda:N --style=task|text|chat --long-rows=truncate|skip --dtype=stored|f32|bf16|f16 '
        others=' --recipe --beta --train --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --steps --epochs --batch --micro-batch --text-length --learning-rate --warmup --final-rate --timescale --weight-decay --beta1 --beta2 --epsilon --momentum --step-clip --decay-exponent --clip --average --label-smoothing --dropout -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence '
        verbs=''
        ;;
    gradients)
        options=' -o --out --config -m --model -o --out --recipe --data --validation --codec --objective --reference --beta --text-model --train --adapter --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --lora-rslora --steps --epochs --batch --micro-batch --text-length --optimizer --learning-rate --schedule --warmup --final-rate --timescale --weight-decay --decay --beta1 --beta2 --epsilon --momentum --relative-step --relative-scale --step-clip --decay-exponent --clip --average --reduction --label-smoothing --dropout --compute --device --checkpointing -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --style --long-rows --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence --dtype -h --help'
        folders=' -m --model -o --out --reference --text-model --adapter '
        files=' -o --out --config --data --validation --codec '
        words=' --objective=sft|lm|siglip|dpo|classifier|maskcodec --optimizer=adamw|adamw8|adafactor|sgd|muon --schedule=cosine|linear|constant|rsqrt --decay=matrices|all --relative-scale=true|false --reduction=tokens|examples --compute=auto|f32|bf16 --device=cpu|cuda|cuda:N --style=task|text|chat --long-rows=truncate|skip --dtype=stored|f32|bf16|f16 '
        others=' --recipe --beta --train --lora-rank --lora-alpha --lora-dropout --lora-modules --lora-parts --steps --epochs --batch --micro-batch --text-length --learning-rate --warmup --final-rate --timescale --weight-decay --beta1 --beta2 --epsilon --momentum --step-clip --decay-exponent --clip --average --label-smoothing --dropout -t --threads --loader-threads --seed --crop --flip --brightness --contrast --saturation --bad-share --validate-every --validation-rows --patience --save-every --log-every --divergence '
        verbs=''
        ;;
    plot)
        options=' -o --out --width --height --tags --smooth --log -h --help'
        folders=' '
        files=' -o --out '
        words=' '
        others=' --width --height --tags --smooth '
        verbs=''
        ;;
    mask)
        options=' --codec -o --out --json -t --threads -h --help'
        folders=' '
        files=' --codec -o --out '
        words=' '
        others=' -t --threads '
        verbs='decode encode'
        ;;
    parse)
        options=' --size --text --batch -h --help'
        folders=' '
        files=' --batch '
        words=' '
        others=' --size --text '
        verbs=''
        ;;
    draw)
        options=' --objects --text --codec -o --out --opacity --line --letters --no-pictures -h --help'
        folders=' '
        files=' --objects --codec -o --out '
        words=' '
        others=' --text --opacity --line --letters '
        verbs=''
        ;;
    sheet)
        options=' --columns --cell --captions --no-captions -o --out --no-pictures -h --help'
        folders=' '
        files=' --captions -o --out '
        words=' '
        others=' --columns --cell '
        verbs=''
        ;;
    serve)
        options=' -m --model --name --adapter --siglip --siglip-name --codec --host --port --api-key-file --connections --timeout --max-body --max-pixels --allow-image-host --max-images --np --queue -c --context --deadline --grace --feedback --feedback-images --feedback-bytes --metrics --slow --log-content -q --quiet --check --no-exif --order --device --compute --cache -t --threads --prefault --mlock --huge-pages -h --help'
        folders=' -m --model --siglip '
        files=' --codec --api-key-file --feedback '
        words=' --order=pillow13|classic --compute=auto|f32|bf16|int8 --cache=auto|f32|bf16|int8 '
        others=' --name --adapter --siglip-name --host --port --connections --timeout --max-body --max-pixels --allow-image-host --max-images --np --queue -c --context --deadline --grace --feedback-bytes --slow --device -t --threads '
        verbs=''
        ;;
    feedback)
        options=' -n --limit --json -o --out --kind --approved -p --prompt --answer --judgement --correction --image --keep --task -m --model --request -h --help'
        folders=' '
        files=' -o --out --image '
        words=' --kind=sft|dpo --judgement=none|up|down '
        others=' -n --limit -p --prompt --answer --correction --task -m --model --request '
        verbs='list export add'
        ;;
    help)
        options=' -h --help'
        folders=' '
        files=' '
        words=' '
        others=' '
        verbs=''
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
    elif ((COMP_CWORD == 2)) && [[ $verbs ]]; then
        offer=(-W "$verbs")
    fi
    mapfile -t COMPREPLY < <(compgen "${offer[@]}" -- "$word")
}
complete -o filenames -F _paligemma paligemma
