#!/bin/bash
# Reads what dump.sh wrote into an empty database; with TABLE only that table, in the place of what it holds. All
# of it is one transaction.
set -euo pipefail
fail() { echo "load: $*" >&2; exit 1; }
# What people wrote stands in the rest of an error: only why is told.
why() {
    if grep -q -F 'invalid command \restrict' /tmp/errors; then
        echo 'psql of this image has no \restrict, which holds a dump to SQL; it is in PostgreSQL 13.22, 14.19, 15.14, 16.10 and 17.6'
    else
        { grep -m 1 -e ERROR: -e FATAL: /tmp/errors || tail -n 1 /tmp/errors; } | cut -c 1-300
    fi
}
PGHOST=$INSTANCE-db
PGUSER=$(cat /secrets/db/username)
PGPASSWORD=$(cat /secrets/db/password)
# The role and its database have one name.
PGDATABASE=$PGUSER
PGCLIENTENCODING=UTF8
PGCONNECT_TIMEOUT=10
export PGHOST PGUSER PGPASSWORD PGDATABASE PGCLIENTENCODING PGCONNECT_TIMEOUT

run() { psql --no-psqlrc --no-password --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --set VERBOSITY=terse "$@"; }

# guard: sql-alone. psql has commands of its own, with which a dump would run what it likes here; this takes all of them
# away but one, that asks for a word which nobody knows who wrote a dump.
word=$(od -An -v -N 32 -tx1 /dev/urandom | tr -d ' \n')
restricted() { printf '\\restrict %s\n' "$word"; }
# pg_dump says the same above the first statement, and takes it back below the last one: within ours psql takes neither.
plain() {
    local line theirs=
    while IFS= read -r line; do
        case $line in
        '\restrict '*) theirs=${line#* }; break ;;
        '' | --* | 'BEGIN;') printf '%s\n' "$line" ;;
        *) printf '%s\n' "$line"; break ;;
        esac
    done
    case $theirs in
    '' | *[!A-Za-z0-9]*) exec cat ;;
    *) LC_ALL=C exec sed "/^\\\\unrestrict $theirs\$/d" ;;
    esac
}

waited=0
until run --command 'SELECT 1' >/dev/null 2>/tmp/errors; do
    [ "$waited" -lt 600 ] || fail "the database $PGHOST does not answer: $(why)"
    sleep 2
    waited=$((waited + 2))
done

if [ -n "${TABLE:-}" ]; then
    # As pg_dump writes it.
    name=$(run --set table="$TABLE" <<'SQL'
SELECT format('%I.%I', schemaname, tablename) FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename = :'table';
SQL
    )
    [ -n "$name" ] || fail "the database has no table $TABLE"
    export COPY="COPY $name (" WHOLE="SELECT 'whole';"
    # Rows end with \. alone: what stands between is never taken for the beginning of a table.
    last=$({
        restricted
        printf 'BEGIN;\nTRUNCATE %s;\n' "$name"
        awk '
            rows { if (ours) print; if ($0 == "\\.") { rows = 0; ours = 0 } next }
            /^COPY .* FROM stdin;$/ { rows = 1; if (index($0, ENVIRON["COPY"]) == 1) { ours = 1; found = 1; print } next }
            { last = $0 }
            END { if (found && !rows && last == ENVIRON["WHOLE"]) print "COMMIT;\n" last }'
    } | run 2>/tmp/errors | tail -n 1) || fail "$TABLE is as it was: $(why)"
    [ "$last" = whole ] || fail "the dump is cut off, or without the table $TABLE; nothing was changed"
    exit 0
fi

found=$(run --command "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
[ "$found" = 0 ] || fail "the database $PGDATABASE holds $found tables; it is loaded into an empty one, nothing is overwritten"
last=$({ restricted; plain; } | run 2>/tmp/errors | tail -n 1) || fail "nothing was loaded: $(why)"
# guard: whole-dump
[ "$last" = whole ] || fail "the dump is cut off: it does not end as a whole one does"
