#!/bin/sh
# Starts PostgreSQL. The image takes a half-made cluster for a finished one; here it is removed, but
# only while the marker says that making it never ended. Not in an init step: those do not run again
# when only the container does.
set -eu
fail() { echo "database: $*" >&2; exit 1; }
trap 'exit 143' TERM INT
cd /var/lib/postgresql/data
# A pod that was deleted by force may still be at work. The lock ends with its last process.
exec 9>>.lock
if ! flock -n 9; then
    echo "database: waiting until the pod before this one has ended"
    flock 9 &
    wait $!
fi
# guard: interrupted-initdb
if [ -e .made ]; then
    [ -s pgdata/PG_VERSION ] || fail "this volume held a finished database, and pgdata/PG_VERSION is gone: restore it; nothing is made in its place"
elif [ -e .initializing ]; then
    echo "database: making it was interrupted; beginning again"
    rm -rf pgdata
elif [ ! -s pgdata/PG_VERSION ]; then
    [ -z "$(ls -A pgdata 2>/dev/null)" ] || fail "pgdata holds files, but no finished database: restore it, or move them away; nothing is overwritten here"
    : >.initializing
    sync
fi
exec docker-entrypoint.sh postgres
