#!/bin/sh
# Takes back what quiesce.sh did, and nothing that somebody else set.
set -eu
fail() { echo "unquiesce: $*" >&2; exit 1; }
REDISCLI_AUTH=$(cat /secrets/redis/password)
export REDISCLI_AUTH

for key in default:readonly_mode:user default:sidekiq_is_paused_v2; do
    answer=$(redis-cli -h "$INSTANCE-redis" EVAL \
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0" 1 "$key" commonscloud)
    case $answer in 0 | 1) ;; *) fail "Redis $INSTANCE-redis does not take $key away: $answer" ;; esac
done
# guard: quiet-ends. Redis writes to its disk each second: after a power cut within it the keys would be back.
sleep 2
