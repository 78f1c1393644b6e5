# Answers to prompts, about pictures and without; the texts are those of golden/inference.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
images=golden/inference/images
gemma=golden/inference/gemma-tiny-mha/checkpoint
try generate --image $images/cow.jpg -p 'caption en' -n 30
paligemma generate --image - -p 'caption en' -n 30 <$images/cow.jpg
paligemma generate --image $images/cow.jpg --image $images/lily.jpg -p 'caption en' -n 30
paligemma generate -p 'caption en' -n 5
echo 'caption en' >prompt
paligemma generate --image $images/cow.jpg --prompt-file prompt -n30 --compute=f32 -t1
paligemma generate --image $images/cow.jpg --prompt-file prompt -n3 --compute=f32 --cache=int8 -t1
printf 'caption en' | paligemma generate --image $images/cow.jpg --prompt-file - -n30
try generate --image $images/cow.jpg -p 'caption en' -n 30 --stop also
try generate --image $images/cow.jpg -p 'caption en' -n 30 --temperature 1 --top-k 1 --seed 7
with_image() {
    paligemma generate --image $images/cow.jpg -n 3 --json -p "$@" | grep -o '"tokens": [^]]*\|"prompt_tokens": [0-9]*' | paste -s
}
with_image 'caption en'
with_image '<image>caption en'
with_image '<image>caption en' --special
with_image '<bos>caption en'
with_image '<loc0001>caption en'
for order in pillow13 classic; do
    paligemma generate -m golden/inference/paligemma-tiny-sharded/checkpoint --image $images/lily.jpg -n 8 --order $order \
        -p 'answer en Where is the cow standing?'
done
for flag in '' --no-exif; do
    paligemma generate --image $images/rotated.jpg -p 'caption en' -n 8 $flag
done
for seed in 1 1 2; do
    paligemma generate --image $images/cow.jpg -p 'caption en' -n 8 --temperature 5 --seed $seed | sum
done | uniq -c | sed 's/ [0-9a-f]*$//'
try generate -m $gemma -p 'The cow walked along' -n 30
try generate -m $gemma -p 'The cow walked along' -n 8 --chat
paligemma generate --image $images/cow.jpg -p 'caption en' -n 8 --prefault
paligemma generate --image $images/cow.jpg -p 'caption en' -n 8 --huge-pages
printf 'a cow\n\na cow on the beach\na lily\r\n' >candidates
paligemma generate --image $images/cow.jpg -p 'caption en' --candidates candidates
printf '\xef\xbb\xbfa cow\r\na lily\r\n' >marked
paligemma generate --image $images/cow.jpg -p 'caption en' --candidates marked
try generate --image $images/cow.jpg -p 'caption en' --candidates candidates --beams 2
printf '\n' >nothing
try generate --image $images/cow.jpg -p 'caption en' --candidates nothing
for tokens in 0 3; do
    paligemma generate --image $images/cow.jpg -p 'cow cow cow cow' -n 30 --speculate $tokens
done | uniq -c
