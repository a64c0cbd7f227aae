#!/bin/sh
# Starts Redis as a cache: nothing is written to disk, what is used least goes first. The password
# is in a file, where no process list shows it.
set -eu
umask 0077
{
    # guard: quoted-password
    printf 'requirepass "%s"\n' "$(printf '%s' "$REDIS_PASSWORD" | sed 's/["\\]/\\&/g')"
    echo 'dir /tmp'
    echo 'save ""'
    echo 'appendonly no'
    echo 'maxmemory 96mb'
    echo 'maxmemory-policy allkeys-lru'
    echo 'protected-mode no'
} >/run/redis/redis.conf
unset REDIS_PASSWORD
exec redis-server /run/redis/redis.conf
