#!/bin/sh
# Runs before the database starts. The image takes a half-made cluster for a finished one; this
# removes it, but only when the marker says that making it never ended.
set -eu
cd /var/lib/postgresql/data
# guard: interrupted-initdb
if [ -e .initializing ]; then
    echo "volume: making the database was interrupted; beginning again"
    rm -rf pgdata
fi
if [ ! -e pgdata/PG_VERSION ]; then
    : >.initializing
    sync
fi
