#!/bin/bash
# Brings the database to the version of the image, before any probe looks: waits for the database
# and Redis, then migrates, but for what the version before may still use. It may be killed at any
# moment: the next run ends what it began.
#
# The image's own MIGRATE_ON_BOOT cannot be trusted with that: when it fails the server starts
# nevertheless, and a probe may end the pod in the middle.
set -euo pipefail

say() { echo "prepare: $*"; }
fail() { echo "prepare: $*" >&2; exit 1; }
trap 'exit 143' TERM INT

# sql STATEMENT: its rows. The password is read from the environment.
sql() {
    PGPASSWORD=$DISCOURSE_DB_PASSWORD PGCONNECT_TIMEOUT=5 psql --host "$DISCOURSE_DB_HOST" --port "$DISCOURSE_DB_PORT" \
        --username "$DISCOURSE_DB_USERNAME" --dbname "$DISCOURSE_DB_NAME" --no-psqlrc --no-password \
        --no-align --tuples-only --command "$1"
}

# request WORD...: a command in Redis' own protocol, whatever characters its words hold.
request() {
    local LC_ALL=C word
    printf '*%d\r\n' "$#"
    for word in "$@"; do
        printf '$%d\r\n%s\r\n' "${#word}" "$word"
    done
}

# redis_setting NAME: how Redis is set, or what it says instead.
redis_setting() (
    exec 9<>"/dev/tcp/$DISCOURSE_REDIS_HOST/$DISCOURSE_REDIS_PORT" || exit 1
    request AUTH "$DISCOURSE_REDIS_PASSWORD" >&9
    read -r -t 5 answer <&9
    [[ $answer == +OK* ]] || { echo "${answer//$'\r'/}"; exit 1; }
    request CONFIG GET "$1" >&9
    for _ in 1 2 3 4 5; do read -r -t 5 answer <&9; done
    echo "${answer//$'\r'/}"
)

# wait_for WHAT COMMAND...: until it succeeds; its answer is in /tmp/answer.
wait_for() {
    local what=$1 waited=0
    shift
    until "$@" >/tmp/answer 2>&1; do
        if [ "$waited" -ge 600 ]; then
            fail "$what does not answer: $(tail -n 1 /tmp/answer)"
        fi
        if [ $((waited % 30)) -eq 0 ]; then
            say "waiting for $what"
        fi
        sleep 2 &
        wait $!
        waited=$((waited + 2))
    done
}

# guard: database-late
wait_for_database() {
    wait_for "the database $DISCOURSE_DB_HOST" sql 'SELECT 1'
}

check_extensions() {
    local found
    found=$(sql 'SELECT extname FROM pg_extension')
    for extension in hstore pg_trgm vector; do
        if ! grep -qx "$extension" <<<"$found"; then
            fail "the database lacks the extension $extension; create it as the role postgres: CREATE EXTENSION $extension"
        fi
    done
}

# Jobs that wait are data: a Redis that drops them would lose mails and notifications in silence.
check_redis() {
    wait_for "Redis $DISCOURSE_REDIS_HOST" redis_setting maxmemory-policy
    if [ "$(cat /tmp/answer)" != noeviction ]; then
        fail "Redis is set to maxmemory-policy $(cat /tmp/answer), which drops jobs that wait; it must be noeviction"
    fi
    wait_for "Redis $DISCOURSE_REDIS_HOST" redis_setting appendonly
    if [ "$(cat /tmp/answer)" != yes ]; then
        fail "Redis is set to appendonly $(cat /tmp/answer), which forgets jobs that wait with each restart; it must be yes"
    fi
}

/etc/runit/1.d/00-ensure-links
/etc/runit/1.d/copy-env
/bin/bash /scripts/settings.sh
wait_for_database
check_extensions
check_redis
cd /var/www/discourse
say "migrating"
# Each migration is a transaction, and a second run waits for the lock of the first.
# guard: interrupted-migration
SKIP_POST_DEPLOYMENT_MIGRATIONS=1 su discourse -c 'bundle exec rake db:migrate'
say "ready"
