# Completion of pgorch's command line for bash: commands, recipes, their flags and values, ids of runs.
# What can be typed is said by the program itself: `pgorch help --complete -- WORD...`.

_pgorch() {
    local cur=${COMP_WORDS[COMP_CWORD]} line
    [ "$cur" != "=" ] || cur=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        @files) compopt -o default ;;
        @recipes)
            compopt -o filenames
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -X '!*.lua' -- "$cur"; compgen -d -- "$cur")
            ;;
        @variables) while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -e -- "$cur") ;;
        *) COMPREPLY+=("$line") ;;
        esac
    done < <("$1" help --complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _pgorch pgorch
