# Mistakes in the command line: one line that says what is wrong, one that says where help is, exit code 2.
try
try genrate
try xyzzy
try --verison
try help genrate
try generate --imge cow.jpg
try generate --zzz
try generate -y
try generate --prompt
try generate -p
try generate --json=yes -p hello
try generate -p hello extra
try generate
try generate -p hello --prompt-file file
try generate --image cow.jpg
try generate -p hello -n 0
try generate -p hello -n 1x
try generate -p hello -n ''
try generate -p hello -n 99999999999999999999
try generate -p hello --top-p 1.5
try generate -p hello --temperature=nan
try generate -p hello --temperature -1
try generate -p hello --seed -1
try generate -p hello -t 0
try generate -p hello --compute f16
try generate -p hello --compute f
try generate -p hello --cache f16
try generate -p hello --order pillow
try generate -p hello --top-logits 5
try generate -p hello --beams 2 --temperature 1
try generate -p hello --beams 2 --stop x
try generate -p hello --beams-returned 2
try generate -p hello --batch file
try generate -p hello --output file
try generate -p hello --chat --image cow.jpg
try generate -p hello
try caption
try ask cow.jpg
try ask cow.jpg question more
try ocr --lang en cow.jpg
try trace -p hello
try embed
try embed --text cow --out cow.npz
try embed word --text cow
try preprocess cow.jpg
try preprocess cow.jpg --size 56
try preprocess cow.jpg --size 56 --out cow.jpg
try preprocess --size 56 --out cow.png
try tokenize
try tokenize a b
try tokenize a --decode 1
try tokenize a
try inspect
try perplexity
PALIGEMMA_MODEL= try inspect
