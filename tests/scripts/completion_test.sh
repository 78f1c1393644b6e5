#!/usr/bin/env bash
# What fish and zsh offer for unfinished command lines, asked of the shells themselves.
#
#   completion_test.sh fish|zsh
set -euo pipefail
shell=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir models
touch cow.jpg lily.jpg
export HOME=$work ZDOTDIR=$work XDG_CONFIG_HOME=$work LC_ALL=C.UTF-8 TERM=xterm

offers_fish() { # LINE: what is offered, a line each, without explanations
    fish --no-config -c "source $root/completions/paligemma.fish; complete -C '$1'" | cut -f1
}

# A shell in a terminal of its own, which completes the line where a tab stands and writes what it found to a file.
offers_zsh() {
    rm -f ready
    : >found
    zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -d -i
        until [[ -s ready ]]; do sleep 0.05; done
        zpty -n -w shell "$1"$'"'\t'"'
        until [[ $(tail -n 1 found) == done ]]; do zpty -r -t shell text || sleep 0.05; done
        zpty -d shell' zsh "$1"
    sed '$d' found
}

cat >.zshrc <<END
PROMPT= fpath=($root/completions \$fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
    local -a matches
    [[ "\${*[1,(i)(-|--)]}" == *-[OAD]\ * ]] || { builtin compadd -A matches "\$@"; print -rl -- \$matches >>$work/found }
    builtin compadd "\$@"
}
complete-and-tell() { zle complete-word; echo done >>$work/found }
zle -N complete-and-tell
zle-line-init() { echo ready >$work/ready }
zle -N zle-line-init
bindkey '^I' complete-and-tell
END

expect() { # LINE OFFERED...: all of them, and nothing else
    local line=$1 found wanted
    shift
    found=$("offers_$shell" "$line" | sed 's|/$||' | sort -u)
    wanted=$(printf '%s\n' "$@" | sort -u)
    [[ $found == "$wanted" ]] || { echo "$shell: '$line' offers '$found', expected '$wanted'" >&2; exit 1; }
}

expect 'paligemma ca' caption
expect 'paligemma help pre' preprocess
expect 'paligemma caption c' cow.jpg
expect 'paligemma generate --image l' lily.jpg
expect 'paligemma caption --max-l' --max-length
expect 'paligemma caption -m mo' models
expect 'paligemma generate --compute ' auto f32 bf16 int8
expect 'paligemma train --optimizer a' adamw adamw8 adafactor
expect 'paligemma data c' check convert
echo "$shell offers what it should"
