# Curves of runs.
mkdir run
{
    echo step,time,tag,value
    for i in 1 2 3 4 5 6 7 8; do
        printf '%d,%d,loss,%d\n%d,%d,validation/loss,%d\n%d,%d,accuracy,0.%d\n' $i $i $((20 - i)) $i $i $((22 - i)) $i $i $i
    done
} >run/scalars.csv
try plot run
file_kind() { head -c 8 "$1" | od -An -c | tr -d ' \n'; echo; }
file_kind curves.png
try plot run/scalars.csv run --out two.svg --smooth 0.5 --log --tags loss
head -c 5 two.svg; echo
printf '9,9,loss,1' >>run/scalars.csv # a run that is still going on
try plot run --out going.png
try plot run --tags bleu --out none.png
try plot run --out curves.gif
try plot missing
try plot
try plot run --smooth 1
ls
