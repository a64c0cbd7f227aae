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
exec "$@"
