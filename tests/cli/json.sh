# generate --json and --stats.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
cow="--image golden/inference/images/cow.jpg"
paligemma generate $cow -p 'caption en' -n 30 --json | mask
paligemma generate $cow -p 'caption en' -n 3 --json --top-logits 2 | mask
paligemma generate $cow -p 'caption en' -n 3 --json --beams 3 | mask
paligemma generate $cow -p 'caption en' -n 3 --json --beams 3 --beams-returned 2 --length-penalty 0 | mask
paligemma generate $cow -p 'caption en' -n 3 --beams 3 --beams-returned 2 | sed 's/^-[0-9.]*/SCORE/'
paligemma generate $cow -p 'caption en' -n 3 --beams 3
paligemma generate $cow -p 'caption en' -n 3 --compute bf16 --json | grep -o '"compute": "[^"]*"'
paligemma generate $cow -p 'caption en' -n 3 --stats 2>&1 >/dev/null | sed 's/  *[0-9.]* \(s\|MiB\).*//; s/ .*, .*//'
