# bash completion for fuel-image(1)

_fuel_image() {
    local word=${COMP_WORDS[COMP_CWORD]} command= names= options
    local settings='--config --work-dir --cache-dir --log-file'
    local request="--strict --quiet $settings"

    [[ $COMP_CWORD -gt 1 ]] && command=${COMP_WORDS[1]}
    [[ $command == cache && $COMP_CWORD -gt 2 ]] && command="cache ${COMP_WORDS[2]}"
    [[ $command == elements && $COMP_CWORD -gt 2 ]] && command="elements ${COMP_WORDS[2]}"
    case $command in
        cache) names='list explain prune' options= ;;
        config) options=$settings ;;
        'cache list') options='--config --cache-dir' ;;
        'cache explain') options=$request ;;
        'cache prune') options='--all --config --cache-dir' ;;
        elements) names='list tree lint' options= ;;
        'elements list' | 'elements tree' | 'elements lint') options='--elements-path' ;;
        sample) options='--suite --output' ;;
        boot) options='--uefi --check --screenshot --timeout --config --work-dir' ;;
        schema | verify | show | compare) options= ;;
        *) options="--dry-run --force --no-cache --keep-tree --shell --version $request" ;;
    esac
    [[ $COMP_CWORD -eq 1 ]] && names='sample schema config cache verify show compare boot elements'

    # Where nothing of this fits, readline completes the name of a file.
    [[ $word == -* ]] && names="--help $options"
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word")
}

complete -o default -F _fuel_image fuel-image
