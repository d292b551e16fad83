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
    --output)
        mapfile -t COMPREPLY < <(compgen -W 'table json jsonl csv markdown' -- "$current")
        return
        ;;
    --kty)
        mapfile -t COMPREPLY < <(compgen -W 'RSA EC oct' -- "$current")
        return
        ;;
    --curve)
        mapfile -t COMPREPLY < <(compgen -W 'P-256 P-384 P-521 P-256K' -- "$current")
        return
        ;;
    --algorithm)
        mapfile -t COMPREPLY < <(compgen -W 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ES256K HS256 HS384 HS512 RSA-OAEP RSA-OAEP-256 A128GCM A192GCM A256GCM A128KW A192KW A256KW' -- "$current")
        return
        ;;
    --reason)
        mapfile -t COMPREPLY < <(compgen -W 'unspecified keyCompromise cACompromise affiliationChanged superseded cessationOfOperation certificateHold privilegeWithdrawn aACompromise' -- "$current")
        return
        ;;
    --provider)
        mapfile -t COMPREPLY < <(compgen -W 'Ringfort-CA' -- "$current")
        return
        ;;
    --data | --tables | --schemas | --rules)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        compopt -o filenames
        return
        ;;
    --file | --unseal-file | --schema | --corpus | --bootstrap | --ca | --parameters | --out | --policy | --signature | --cert | --key | --chain | --config | --socket)
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
    if [[ $command == admin && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'link break-glass' -- "$current")
        return
    fi
    if [[ $command == incidents && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'list show close comment' -- "$current")
        return
    fi
    # Their verbs stand in the help, with two blanks in front.
    if [[ ($command == secret || $command == key || $command == cert) && $COMP_CWORD == 2 && $current != -* ]]; then
        local verbs
        verbs=$("$program" "$command" --help 2>/dev/null | sed -n '1,/^options:/s/^  \([a-z]*\) .*/\1/p' | sort -u)
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$current")
        return
    fi
    if [[ $command == cert && $COMP_CWORD == 3 && $previous == issuer && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'list show set issued revoke delete' -- "$current")
        return
    fi
    if [[ $command == credentials && $COMP_CWORD == 2 && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'serve' -- "$current")
        return
    fi
    # Behind "--" stands another program's line.
    if [[ $command == run && " ${COMP_WORDS[*]:2:COMP_CWORD-2} " == *' -- '* ]]; then
        mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
        return
    fi
    if [[ $command == cert && ${COMP_WORDS[2]} == deploy && $current == -* ]]; then
        command='cert deploy'
    fi
    if [[ $current == -* ]]; then
        local options
        # shellcheck disable=SC2086 # "cert deploy" is two words
        options=$("$program" $command --help 2>/dev/null | sed -n 's/^ *\(--[a-z-]*\).*/\1/p')
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
