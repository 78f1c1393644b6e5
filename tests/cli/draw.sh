# Objects on pictures, and contact sheets.
cow=golden/images/files/photo_cow.jpg
file_kind() { head -c 4 "$1" | od -An -tx1; }
# Width and height of a PNG file.
size() {
    python3 - "$1" <<'P'
import struct, sys
data = open(sys.argv[1], "rb").read()
print("%d x %d" % struct.unpack(">II", data[16:24]))
P
}
cat >objects.json <<'J'
{"objects": [{"label": "cow", "score": 0.93, "box": [320, 165, 470, 380],
              "mask": [[330, 200, 360, 170, 440, 165, 470, 200, 440, 280, 420, 370, 370, 375]]},
             {"label": "sea", "score": null, "box": [0, 212, 612, 270], "mask": null},
             {"label": "a note"}],
 "problems": []}
J
try draw $cow --objects objects.json --out one.png
size one.png
paligemma draw $cow --objects - --out two.png <objects.json && cmp one.png two.png && echo same
try draw $cow --objects objects.json -o three.JPG --opacity 0.2 --line 4 --letters 30
file_kind three.JPG

echo '-- masks: as runs, as text of runs, as a picture'
{ echo "P5 612 425 255" && head -c $((612 * 425)) /dev/zero | tr '\0' '\377'; } >mask.png
echo '{"objects": [{"mask": {"size": [425, 612], "counts": [0, 260100]}}]}' >runs.json
echo '{"objects": [{"mask": {"size": [425, 612], "counts": "0TPn7"}}]}' >text.json
echo '{"objects": [{"mask": "mask.png"}]}' >file.json
for kind in runs text file; do
    paligemma draw $cow --objects $kind.json --out $kind.png && cmp runs.png $kind.png && echo same
done

echo '-- an answer'
try draw $cow --text '<loc0400><loc0540><loc0910><loc0780> cow ; <loc0001> x ; <loc0500><loc0000><loc0640><loc1023> sea' -o text.jpg
file_kind text.jpg
try draw $cow --text 'nothing' -o nothing.png
paligemma preprocess $cow --size 64 --out before.npy && paligemma preprocess nothing.png --size 64 --out after.npy &&
    cmp before.npy after.npy && echo same

echo '-- sheets'
try sheet golden/images/files/crop[0-5].jpg --out sheet.png
size sheet.png
printf 'a cat\nzwei\n\n四\nfünf\nsix' >captions
try sheet golden/images/files/crop[0-5].jpg --out sheet.png --captions captions --columns 6 --cell 100
try sheet golden/images/files/crop[0-5].jpg --out sheet.png --no-captions --columns 2 --cell 64
size sheet.png

echo '-- mistakes'
try draw $cow
try draw $cow --objects objects.json --text x
try draw - --objects -
try draw $cow --objects missing.json
echo '[1]' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": {}}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{}, {"box": [1, 2, 3]}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{"box": [1, 2, 3, "4"]}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{"label": 3}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{"score": "high"}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{"mask": 7}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{"mask": {"size": [4, 6], "counts": [0, 24]}}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [{"mask": "golden/images/files/raw.ppm"}]}' >wrong.json && try draw $cow --objects wrong.json
echo '{"objects": [}' >wrong.json && try draw $cow --objects wrong.json
try draw $cow --objects objects.json
try draw $cow --objects objects.json --out picture.gif
try draw $cow --text '<loc0400>' --codec objects.json
try draw objects.json --objects objects.json
try sheet
try sheet $cow $cow --captions captions
try sheet $cow missing.jpg
try sheet $cow --cell 10
printf 'caf\351\n' >latin && try sheet $cow --captions latin --out latin.png
ls
