#!/bin/bash
# Writes the database as SQL, all of one moment, which is loaded whole or not at all.
set -euo pipefail
PGHOST=$INSTANCE-db
PGUSER=$(cat /secrets/db/username)
PGPASSWORD=$(cat /secrets/db/password)
# The role and its database have one name.
PGDATABASE=$PGUSER
PGCLIENTENCODING=UTF8
PGCONNECT_TIMEOUT=10
export PGHOST PGUSER PGPASSWORD PGDATABASE PGCLIENTENCODING PGCONNECT_TIMEOUT
# Some networks refuse until the policy of a new pod is in force.
until pg_isready --quiet || [ "$SECONDS" -ge 30 ]; do sleep 1; done

# guard: whole-dump. What is cut off lacks its COMMIT, so that nothing of it stays, and its last line, which the
# loader asks for.
echo 'BEGIN;'
# Nobody but postgres may comment on extensions, and comments are for people alone.
pg_dump --no-owner --no-privileges --no-comments --no-password | {
    # What it prints first it prints from within its transaction.
    IFS= read -r line
    : >"${BEGUN:-/dev/null}"
    printf '%s\n' "$line"
    exec cat
}
echo 'COMMIT;'
echo "SELECT 'whole';"
