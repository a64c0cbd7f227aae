#!/bin/sh
# Starts MariaDB. The image takes a half-made folder for a finished database; here it is removed, but
# only while the marker says that making it never ended. Not in an init step: those do not run again
# when only the container does.
set -eu
fail() { echo "database: $*" >&2; exit 1; }
trap 'exit 143' TERM INT
cd /var/lib/mysql
# A pod that was deleted by force may still be at work. The lock ends with its last process.
exec 9>>.lock
if ! flock -n 9; then
    echo "database: waiting until the pod before this one has ended"
    flock 9 &
    wait $!
fi
# guard: interrupted-initialization
if [ -e .made ]; then
    [ -d data/mysql ] || fail "this volume held a finished database, and data/mysql is gone: restore it; nothing is made in its place"
elif [ -e .initializing ]; then
    echo "database: making it was interrupted; beginning again"
    rm -rf data
elif [ ! -d data/mysql ]; then
    [ -z "$(ls -A data 2>/dev/null)" ] || fail "data holds files, but no finished database: restore it, or move them away; nothing is overwritten here"
    : >.initializing
    sync
fi
# The buffer pool is a quarter of the memory limit: 256 MiB of the limit that the package asks for,
# above the 225 MB that Phorge wants, and less where the Platform gives less.
exec docker-entrypoint.sh mariadbd --datadir=/var/lib/mysql/data --innodb-buffer-pool-size=$((MEMORY_LIMIT / 4))
