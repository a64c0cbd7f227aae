#!/bin/sh
# Starts Redis as a store: jobs that wait are data, so each write goes to a file and nothing is ever
# dropped to make room. The password is in a file, where no process list shows it.
set -eu
umask 0077
{
    # guard: quoted-password
    printf 'requirepass "%s"\n' "$(printf '%s' "$REDIS_PASSWORD" | sed 's/["\\]/\\&/g')"
    echo 'dir /data'
    echo 'save ""'
    echo 'appendonly yes'
    echo 'appendfsync everysec'
    # Below the container's limit: a write that finds no room fails, and nothing is killed.
    echo 'maxmemory 384mb'
    # guard: eviction-policy
    echo 'maxmemory-policy noeviction'
    echo 'protected-mode no'
} >/run/redis/redis.conf
unset REDIS_PASSWORD
exec redis-server /run/redis/redis.conf
