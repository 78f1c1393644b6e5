# PaliGemma's own prompts: caption, ask, ocr give what generate gives for the whole prompt.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
images=golden/inference/images
same() {
    cmp - <(paligemma generate --image $images/cow.jpg -n 8 -p "$1") && echo "the same as '$1'"
}
paligemma caption $images/cow.jpg -n 8 | same 'caption en'
paligemma caption --lang de $images/cow.jpg -n 8 | same 'caption de'
paligemma ask $images/cow.jpg 'Where is the cow standing?' -n 8 | same 'answer en Where is the cow standing?'
paligemma ask --lang=es $images/cow.jpg vaca -n 8 | same 'answer es vaca'
paligemma ocr $images/cow.jpg -n 8 | same ocr
paligemma ocr -n 8 - <$images/cow.jpg | same ocr
try caption $images/cow.jpg missing.jpg $images/lily.jpg -n 8
paligemma ocr $images/cow.jpg $images/lily.jpg -n 2 --json | mask
