#!/bin/sh
# Starts Redis as the upstream image does: options or a *.conf mean redis-server with them, root
# becomes the user redis.
set -eu

case "${1:-}" in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis:redis {} +
        exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
    fi
    umask 0077
    # Reachable from other pods even without a password, as upstream.
    case " $* " in
    *protected-mode* | *" --version "* | *" -v "* | *" --help "* | *" -h "*) ;;
    *) set -- "$@" --protected-mode no ;;
    esac
fi
exec "$@"
