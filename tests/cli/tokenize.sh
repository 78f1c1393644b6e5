# Text to ids and back.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
try tokenize 'caption en'
try tokenize --bos --eos --json 'caption en'
try tokenize '<bos><image><loc0001>' --json
try tokenize '<bos><image><loc0001>' --special --json
try tokenize ''
try tokenize -- --bos
text=$'Zwei K\u00fche \u2014 am\tStrand\n'
[[ $(paligemma tokenize --decode "$(paligemma tokenize "$text")"; echo x) == "$text"$'\n'x ]] && echo 'there and back'
try tokenize --decode '2, 5 1'
try tokenize --decode '2, 5 1' --skip-special --json
try tokenize --decode '2 x'
try tokenize --decode '2 3.5'
try tokenize --decode -1
try tokenize --decode 999999
try tokenize --decode 99999999999999999999
try tokenize $'\xff'
try tokenize --tokenizer $PALIGEMMA_MODEL/tokenizer.json 'caption en'
try tokenize --tokenizer golden/inference/siglip-tiny/checkpoint/spiece.model 'a photo of a cow' --json
try tokenize --tokenizer missing.json x
printf '%s\n' '{"text": "caption en"}' '' '{"ids": [2, 5], "text": "is not looked at"}' '{"text": ""}' |
    paligemma tokenize --batch -
for line in '{"text": 3}' '{"ids": 3}' '{"ids": ["a"]}' '{"ids": [-1]}' '{}' 'x'; do
    echo "$line" | paligemma tokenize --batch - 2>&1
    echo "= $?"
done
