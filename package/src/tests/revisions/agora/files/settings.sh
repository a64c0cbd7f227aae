#!/bin/bash
# Runs after the image's own copy-env, which writes each DISCOURSE_NAME of the environment between
# apostrophes as it is: an apostrophe in a value cuts it off there without a word. Those values are
# written again between quotation marks; what no quotes can hold is refused by its name.
set -euo pipefail
conf=/var/www/discourse/config/discourse.conf

refuse() {
    # Nothing is to read what is refused: <% begins a program there.
    : >"$conf"
    echo "settings: the value of $1 $2" >&2
    exit 1
}

while read -r name; do
    value=${!name}
    case $value in
    *$'\n'* | *$'\r'*) refuse "$name" "has more than one line; write it again without the end of line" ;;
    *'<%'*) refuse "$name" "contains <%, which Discourse would run as a program; choose another" ;;
    *\'*\"* | *\"*\'*) refuse "$name" "contains both kinds of quotation marks; use one of them at most" ;;
    # guard: quoted-secret
    *\'*)
        key=${name#DISCOURSE_}
        key=${key,,}
        sed -i "/^$key = /d" "$conf"
        printf '%s = "%s"\n' "$key" "$value" >>"$conf"
        ;;
    esac
done < <(compgen -e DISCOURSE_)
