"""The scripts with which bash, zsh and fish ask the program `cse-complete`."""

from __future__ import annotations

import shlex

__all__ = ["SHELLS", "script"]

SHELLS = ("bash", "zsh", "fish")

_BASH = r"""
# Completion of vcd and cse.
_cse_client_complete() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default
            return
        fi
        COMPREPLY+=("$line")
    done < <(PROGRAM bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null)
}
complete -F _cse_client_complete vcd cse
"""

_ZSH = r"""
# Completion of vcd and cse.
_cse_client_complete() {
    local line word about
    local -a found shown
    found=("${(@f)$(PROGRAM zsh "${(@Q)words[1,CURRENT-1]}" "$PREFIX" 2>/dev/null </dev/null)}")
    if [[ ${found[1]} == :files ]]; then
        [[ -prefix *= ]] && compset -P '*='
        _files
        return
    fi
    for line in "${found[@]}"; do
        [[ -n $line ]] || continue
        word=${line%%$'\t'*}
        about=${line#*$'\t'}
        shown+=("${word//:/\\:}${about:+:$about}")
    done
    (( ${#shown} )) && _describe -V value shown
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
compdef _cse_client_complete vcd cse
"""

_FISH = r"""
# Completion of vcd and cse.
function __cse_client_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (PROGRAM fish $words "$current" 2>/dev/null </dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$current")
        return
    end
    test (count $found) -gt 0; and string join \n -- $found
end
complete -c vcd -f -a '(__cse_client_complete)'
complete -c cse -f -a '(__cse_client_complete)'
"""

_TEXTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str, program: str) -> str:
    """Return the script for a shell; `program` is the path of what it asks."""
    quoted = shlex.quote(program)
    return _TEXTS[shell].lstrip("\n").replace("PROGRAM", quoted)
