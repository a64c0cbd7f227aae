#!/bin/sh
# Runs after the image's entrypoint wrote the session handler's file: writes it again with the
# password encoded, since the entrypoint puts it into a URL as it is.
set -eu
# guard: quoted-password
php -r '
    $path = "tcp://" . getenv("REDIS_HOST") . ":6379?auth=" . rawurlencode(getenv("REDIS_HOST_PASSWORD"));
    file_put_contents("/usr/local/etc/php/conf.d/redis-session.ini", implode("\n", [
        "session.save_handler = redis",
        "session.save_path = \"$path\"",
        "redis.session.locking_enabled = 1",
        "redis.session.lock_retries = -1",
        "redis.session.lock_wait_time = 10000",
    ]) . "\n") || exit(1);'
