# Completion of tpinfer and tpmodel for bash. The programs themselves say what there is (--help), once
# per shell and command: options, values between bars or braces, subcommands; anything else is a file.

# _tpinfer_help PROGRAM [SUBCOMMAND]: sets REPLY to the help text.
_tpinfer_help() {
    declare -gA _tpinfer_helps
    local key="$*"
    if [[ -z ${_tpinfer_helps[$key]-} ]]; then
        _tpinfer_helps[$key]=$("$@" --help 2>/dev/null)
    fi
    REPLY=${_tpinfer_helps[$key]}
}

# _tpinfer_values HELP OPTION: the values that the help lists for it, one a line.
_tpinfer_values() {
    local line names type
    while IFS= read -r line; do
        [[ $line =~ ^\ +(-[^ ]+)\ ([^ ]+) ]] || continue
        names=,${BASH_REMATCH[1]}, type=${BASH_REMATCH[2]}
        [[ $names == *",$2,"* ]] || continue
        case $type in
            *:{*}) type=${type#*:\{} type=${type%\}*} ; echo "${type//,/$'\n'}" ;;
            *\[:N\]) echo "${type%%\[*}" ;;
            *[A-Z]*) ;;
            *\|*) echo "${type//|/$'\n'}" ;;
        esac
        return
    done <<<"$1"
}

_tpinfer() {
    local program=$1 current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local help subcommand='' subcommands values REPLY i
    _tpinfer_help "$program"
    help=$REPLY
    subcommands=$(sed -n -e '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' \
        -e 's/.*: tpinfer \([a-z]*\) --help$/\1/p' <<<"$help")
    if [[ -n $subcommands ]]; then
        for ((i = 1; i < COMP_CWORD; ++i)); do
            # Behind "tpinfer launch ... --" stand the options of tpinfer.
            [[ " ${COMP_WORDS[*]:i:COMP_CWORD-i} " != *" -- "* ]] || continue
            if grep -qxF -e "${COMP_WORDS[i]}" <<<"$subcommands"; then
                subcommand=${COMP_WORDS[i]}
                _tpinfer_help "$program" "$subcommand"
                help=$REPLY
                break
            fi
        done
    fi
    COMPREPLY=()
    if [[ $current == = ]]; then  # --plan=<TAB>: bash makes "=" a word
        current=''
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    values=$(_tpinfer_values "$help" "$previous")
    if [[ -n $values ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    elif [[ $current == -* ]]; then
        values=$(grep -oE '^ +(-[[:alnum:]],)?--[[:alnum:]-]+' <<<"$help" | grep -oE -e '--[[:alnum:]-]+')
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    elif [[ -n $subcommands && -z $subcommand && $COMP_CWORD -eq 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$subcommands" -- "$current")
    fi
    if ((${#COMPREPLY[@]} == 0)) && [[ $current != -* ]]; then
        compopt -o filenames 2>/dev/null || true
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _tpinfer tpinfer tpmodel
