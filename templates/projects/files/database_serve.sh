#!/bin/sh
# The buffer pool is a quarter of the memory limit: 256 MiB of the limit that the package asks for,
# above the 225 MB that Phorge wants, and less where the Platform gives less.
exec docker-entrypoint.sh mariadbd --datadir=/var/lib/mysql/data --innodb-buffer-pool-size=$((MEMORY_LIMIT / 4))
