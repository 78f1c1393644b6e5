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

echo '-- several pictures in one prompt, probabilities, choices'
cmp <(paligemma ask $images/cow.jpg $images/lily.jpg 'Same?' -n 8) \
    <(paligemma generate --image $images/cow.jpg --image $images/lily.jpg -n 8 -p 'answer en Same?') && echo the same
paligemma ask $images/cow.jpg 'Where?' -n 3 --scores | sed -E 's/\t0\.[0-9]+(e-[0-9]+)?$/\tPROBABILITY/'
printf 'a cow\n\na lily\nyes\n' >choices
paligemma ask $images/cow.jpg 'What is it?' --candidates choices | sed 's/^[01]\.[0-9]*/P/' | sort
paligemma caption $images/cow.jpg $images/lily.jpg --candidates choices | cut -d: -f1
paligemma ocr $images/cow.jpg --candidates choices --json | mask
: >nothing
try ask $images/cow.jpg 'What is it?' --candidates nothing
try ask $images/cow.jpg 'What is it?' --candidates missing
try ask $images/cow.jpg 'What is it?' --scores --beams 2
printf 'no\n%s\n' "$(printf 'long %.0s' {1..20000})" >long
try ask $images/cow.jpg 'What is it?' --candidates long
