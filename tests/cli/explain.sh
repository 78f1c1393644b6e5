# Which patches of a picture an answer comes from.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
siglip=golden/inference/siglip-tiny/checkpoint
images=golden/inference/images
round() {
    sed -E 's/(0\.[0-9]{2})[0-9]*/\1/g'
}
try explain $images/cow.jpg -p 'caption en' --answer 'a cow, on the beach' | round
try explain $images/cow.jpg $images/lily.jpg -p 'caption en' --answer 'a cow' --method rollout --tower | round
try explain $images/cow.jpg -p 'detect cow' --method attention --layers 3 \
    --answer '<loc0100><loc0200><loc0300><loc0400> big cow ; <loc0000><loc0200><loc0300><loc0400><seg001> dog' | round
paligemma explain $images/cow.jpg -p 'caption en' -n 8 --json --arrays maps.npz >own
grep -o '"answer": "[^"]*"' own
paligemma generate --image $images/cow.jpg -p 'caption en' -n 8 --json | grep -o '"text": "[^"]*"'
grep -o '"\(kind\|text\)": "[^"]*"' own
grep -o '"hottest": {[^}]*}' own | round
paligemma explain $images/cow.jpg -p 'caption en' -n 8 --json --method gradient --arrays maps.safetensors | cmp - own && echo 'gradient is the default'
ls maps.npz maps.safetensors
try explain -m $siglip $images/cow.jpg --text 'a cow' grass | round
paligemma explain -m $siglip $images/cow.jpg --text 'a cow' grass --method gradient --tower --json | round
try explain $images/cow.jpg -p 'caption en' --answer 'a cow' -o sheet.png >/dev/null
try explain $images/cow.jpg $images/lily.jpg -p 'caption en' --answer 'a cow' -o maps >/dev/null
try explain -m $siglip $images/cow.jpg --text cow -o one.jpg --json >/dev/null
ls sheet.png maps one.jpg
try explain $images/cow.jpg -p 'caption en' --answer ''
try explain $images/cow.jpg -p 'caption en' --answer ' ' -o sheet.png
try explain $images/cow.jpg
try explain $images/cow.jpg -p x --text y
try explain $images/cow.jpg -p x --method similarity
try explain $images/cow.jpg -p x --method attention --tower
try explain $images/cow.jpg -p x --layers 2
try explain $images/cow.jpg $images/lily.jpg -m $siglip --text x
try explain $images/cow.jpg -m $siglip --text x --answer y
try explain $images/cow.jpg -p x --arrays maps.txt
try explain $images/cow.jpg --text x
try explain missing.jpg -p x
try explain $images/cow.jpg -p x --answer y -o nowhere/sheet.png | tail -2
try explain $images/cow.jpg -p x --answer y -o nowhere/maps | tail -2
try explain $images/cow.jpg -p x --answer $'\xff'
