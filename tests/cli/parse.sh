# Objects out of answers that somebody has.
cases=golden/tasks/segmentation/parse.jsonl
try parse --size 640x480 --text '<loc0100><loc0200><loc0300><loc0400> Überraschung 猫 ; <loc0001><loc0002><loc0003> dog'
try parse --size 1023x1023 --text 'no objects'
python3 - $cases <(paligemma parse --batch $cases) <<'END'
import json, sys
wanted, found = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
assert len(wanted) == len(found)
for a, b in zip(wanted, found):
    for object in b["objects"]:
        assert object.pop("box") == object["box_xyxy"]
    assert a["objects"] == b["objects"] and a["problems"] == b["problems"], (a, b)
print(len(found), "cases as the reference has them")
END
printf '{"text": "<loc0000><loc0000><loc1023><loc1023>"}\n' | paligemma parse --batch - --size 12x7

echo '-- mistakes'
try parse --text x
try parse --size 640x480
try parse --size 640 --text x
try parse --size 0x1 --text x
try parse --size 1x1x1 --text x
try parse --size=-5x5 --text x
try parse --size 5x-5 --text x
try parse --size ' 5x5' --text x
try parse --size 5x+5 --text x
try parse --size 1x1 --text x --batch -
try parse --size 1x1 --text $'\xff'
printf '{"text": "a"}\n' >sizeless && try parse --batch sizeless
printf '{"text": 1}\n' >textless && try parse --batch textless --size 1x1
printf '{"text": "a", "width": -1, "height": 5}\n' >negative && try parse --batch negative
try parse --batch missing
