# Standard output that cannot be written is an error, also when little was printed; a reader that goes away is quiet.
paligemma help 2>&1 >/dev/full
echo "= $?"
paligemma --version 2>&1 >&-
echo "= $?"
set -o pipefail
(paligemma help; echo "= $?" >&2) 2>&1 >/dev/null | cat
paligemma inspect 2>&-
echo "= $?"
paligemma --version | sed 's/ .*//'
