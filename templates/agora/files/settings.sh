#!/bin/bash
# Runs after the image's own copy-env, which writes each DISCOURSE_NAME of the environment between
# apostrophes as it is: an apostrophe in a value cuts it off there without a word. The values are
# written again between quotation marks; what no quotes can hold is refused by its name.
set -euo pipefail
conf=/var/www/discourse/config/discourse.conf
oidc=/oidc
# What the client of the identity provider was at this start; the liveness probe compares.
started_with=/run/oidc.sha256

refuse() {
    # Nothing is to read what is refused: <% begins a program there.
    : >"$conf"
    echo "settings: the value of $1 $2" >&2
    exit 1
}

# write NAME VALUE: the line of a setting.
write() {
    local key=${1#DISCOURSE_} mark=\'
    case $2 in
    *$'\n'* | *$'\r'*) refuse "$1" "has more than one line; write it again without the end of line" ;;
    *'<%'*) refuse "$1" "contains <%, which Discourse would run as a program; choose another" ;;
    *\'*\"* | *\"*\'*) refuse "$1" "contains both kinds of quotation marks; use one of them at most" ;;
    # guard: quoted-secret
    *\'*) mark=\" ;;
    esac
    key=${key,,}
    sed -i "/^$key = /d" "$conf"
    printf '%s = %s%s%s\n' "$key" "$mark" "$2" "$mark" >>"$conf"
}

while read -r name; do
    write "$name" "${!name}"
done < <(compgen -e DISCOURSE_)

# A Secret that is mounted follows its changes; a variable would not.
if [ -d "$oidc" ]; then
    for key in client-id client-secret; do
        [ -s "$oidc/$key" ] || refuse "$key" "is missing or empty in the Secret that parameters.oidc.clientSecretName names"
    done
    # Before they are read: what changes in between restarts once too often, and not never.
    sha256sum "$oidc/client-id" "$oidc/client-secret" >"$started_with"
    write DISCOURSE_OPENID_CONNECT_CLIENT_ID "$(<"$oidc/client-id")"
    write DISCOURSE_OPENID_CONNECT_CLIENT_SECRET "$(<"$oidc/client-secret")"
fi
