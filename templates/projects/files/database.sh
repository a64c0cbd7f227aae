#!/bin/sh
# Starts MariaDB. The image takes a half-made folder for a finished database; here it is removed, but
# only when the marker says that making it never ended. Not in an init step: those do not run again
# when only the container does.
set -eu
cd /var/lib/mysql
# guard: interrupted-initialization
if [ -e .initializing ]; then
    echo "database: making it was interrupted; beginning again"
    rm -rf data
fi
if [ ! -e data/mysql ]; then
    : >.initializing
    sync
fi
# The buffer pool is a quarter of the memory limit: 256 MiB of the limit that the package asks for,
# above the 225 MB that Phorge wants, and less where the Platform gives less.
exec docker-entrypoint.sh mariadbd --datadir=/var/lib/mysql/data --innodb-buffer-pool-size=$((MEMORY_LIMIT / 4))
