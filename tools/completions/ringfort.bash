# Completion of ringfort's command line for bash. Commands and options are asked from the program itself, so that
# they are never out of date.

_ringfort()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]}
    COMPREPLY=()

    if ((COMP_CWORD == 1)); then
        local commands
        commands=$("$program" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
        return
    fi

    case $previous in
    --format)
        mapfile -t COMPREPLY < <(compgen -W 'table json jsonl csv markdown chart' -- "$current")
        return
        ;;
    --data | --tables | --schemas | --rules)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        compopt -o filenames
        return
        ;;
    --file | --unseal-file | --schema | --corpus | --bootstrap | --ca | --parameters)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames
        return
        ;;
    --layout)
        mapfile -t COMPREPLY < <(compgen -W "$("$program" sigma layouts 2>/dev/null | sed 's/ .*//')" -- "$current")
        return
        ;;
    --timespan)
        mapfile -t COMPREPLY < <(compgen -W 'PT1H PT24H P1D P7D P30D' -- "$current")
        return
        ;;
    esac

    if [[ $command == resource && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'get list put delete' -- "$current")
        return
    fi
    if [[ $command == rules && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'list templates show enable disable run' -- "$current")
        return
    fi
    if [[ $command == sigma && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'run compile layouts' -- "$current")
        return
    fi
    if [[ $command == watchlist && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'list show put delete' -- "$current")
        return
    fi
    if [[ $command == events && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'send tail peek stats' -- "$current")
        return
    fi
    if [[ $command == incidents && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'list show close comment' -- "$current")
        return
    fi
    if [[ $current == -* ]]; then
        local options
        options=$("$program" "$command" --help 2>/dev/null | sed -n 's/^ *\(--[a-z-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$current")
    elif [[ $command == functions ]]; then
        local names
        names=$("$program" functions 2>/dev/null | sed -n 's/^ *\([A-Za-z_][A-Za-z0-9_-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
    elif [[ $command != query ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames
    fi
}

complete -F _ringfort ringfort
