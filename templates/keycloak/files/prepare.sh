#!/bin/bash
# Before each start: what the realm is made of, with the secrets that are in it, and a place for what Keycloak builds.
# It may be killed at any moment, and runs again.
set -euo pipefail
LC_ALL=C
umask 077
fail() { echo "prepare: $*" >&2; exit 1; }

# json FILE: its text as it stands in a text of JSON.
json() {
    local text
    text=$(cat "$1")
    case $text in *[[:cntrl:]]*) fail "$1 holds more than one line" ;; esac
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    # guard: marked-places. Else a password could be taken for a place that is still to be filled.
    local at='\u0040'
    printf '%s' "${text//@/"$at"}"
}

realm=$(cat /realm/realm.json)
# fill NAME TEXT: puts it where the name is marked, which is once.
fill() {
    case $realm in *"@$1@"*) realm=${realm%%"@$1@"*}$2${realm#*"@$1@"} ;; esac
}
secret=$(json /secrets/operator/client-secret)
fill CLIENT_SECRET "$secret"
auth=false user='' password=''
if [ -d /secrets/mail ]; then
    auth=true
    user=$(json /secrets/mail/username)
    password=$(json /secrets/mail/password)
fi
fill MAIL_AUTH "$auth"
fill MAIL_USER "$user"
fill MAIL_PASSWORD "$password"
# guard: no-placeholders. Keycloak puts variables of its own environment where a file says ${NAME}: a name of an Entity
# could show the database's password to everybody.
dollar='\u0024'
realm=${realm//\$/"$dollar"}
printf '%s\n' "$realm" >/import/realm.json.new
mv /import/realm.json.new /import/realm.json

# An image that was built for other settings builds itself anew when it starts, and only there.
rm -rf /built/*
cp -R /opt/keycloak/lib/quarkus/* /built/

# guard: database-late. Keycloak ends where its database does not answer, and waits longer each time.
until timeout 5 bash -c ': <"/dev/tcp/$0/5432"' "$DATABASE" 2>/dev/null; do
    [ "$SECONDS" -lt 600 ] || fail "the database $DATABASE does not answer"
    sleep 2
done
