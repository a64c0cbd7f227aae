#!/bin/sh
# Starts a database: database.sh VOLUME FOLDER FINISHED COMMAND...
#   VOLUME    where its volume is mounted
#   FOLDER    where the image keeps the database, below the volume
#   FINISHED  what the image takes for a finished database, below the volume
# An image takes a half-made folder for a finished database. Here it is removed, but only while the
# marker says that making it never ended. Not in an init step: those do not run again when only the
# container does.
set -eu
volume=$1 folder=$2 finished=$3
shift 3
fail() { echo "database: $*" >&2; exit 1; }
is_finished() { [ -d "$finished" ] || [ -s "$finished" ]; }
trap 'exit 143' TERM INT
cd "$volume"
# A pod that was deleted by force may still be at work. The lock ends with its last process.
exec 9>>.lock
if ! flock -n 9; then
    echo "database: waiting until the pod before this one has ended"
    flock 9 &
    wait $!
fi
# guard: interrupted-initialization
if [ -e .made ]; then
    is_finished || fail "this volume held a finished database, and $finished is gone: restore it; nothing is made in its place"
elif [ -e .initializing ]; then
    echo "database: making it was interrupted; beginning again"
    rm -rf "$folder"
elif ! is_finished; then
    [ -z "$(ls -A "$folder" 2>/dev/null)" ] || fail "$folder holds files, but no finished database: restore it, or move them away; nothing is overwritten here"
    : >.initializing
    sync
fi
# Indexes of texts are sorted as the C library of an image sorts. Under another one they find half of
# what is there, and let in twice what is unique; PostgreSQL warns, and serves. MariaDB sorts by itself.
# single DATABASE: PostgreSQL for one session and nobody else, which does what stands at its input. The
# lock file of a server that was killed names process 1, which is this shell.
single() { PG_GRANDPARENT_PID=$$ postgres --single -D "$volume/$folder" "$1" 2>&1 || :; }
# guard: collation-version
if [ -s "$folder/PG_VERSION" ]; then
    said=$(single postgres <<'SQL'
SELECT 'compared: ' || coalesce(string_agg(concat_ws(':', datname, datcollversion, pg_database_collation_actual_version(oid)), ' '), '') FROM pg_database WHERE datallowconn AND datcollversion <> coalesce(pg_database_collation_actual_version(oid), 'none')
SQL
    )
    case $said in
    *'"compared: '*) differ=$(echo "$said" | sed -n 's/.*"compared: \([^"]*\)".*/\1/p') ;;
    *) fail "it cannot be told which C library sorted the indexes: $(echo "$said" | tail -n 1)" ;;
    esac
    [ -z "$differ" ] || [ -e .reindex ] || fail "another C library than this image's sorted the indexes (database:then:now $differ). Go back to the image of before; to move on to this one, make the file $volume/.reindex while that one runs, and come again: then they are made anew"
    for database in $(echo "$differ" | sed 's/:[^ ]*//g'); do
        echo "database: sorting the indexes of $database anew"
        said=$(printf '%s "%s"%s\n' 'REINDEX DATABASE' "$database" '' 'ALTER DATABASE' "$database" ' REFRESH COLLATION VERSION' | single "$database")
        case $said in
        *ERROR:* | *FATAL:*) fail "the indexes of $database cannot be sorted anew. Go back to the image of before: $(echo "$said" | grep -m 1 -e ERROR: -e FATAL:)" ;;
        esac
    done
    [ -z "$differ" ] || rm .reindex
fi
exec "$@"
