#!/bin/sh
# Keeps people from changing anything: Discourse asks Redis at each request and before each job. Run twice it does
# what it does once. What somebody else set is left as it is.
set -eu
fail() { echo "quiesce: $*" >&2; exit 1; }
REDISCLI_AUTH=$(cat /secrets/redis/password)
export REDISCLI_AUTH

# Some networks refuse until the policy of a new pod is in force.
waited=0
until redis-cli -h "$INSTANCE-redis" PING >/dev/null 2>&1 || [ "$waited" -ge 30 ]; do
    sleep 1
    waited=$((waited + 1))
done
for key in default:readonly_mode:user default:sidekiq_is_paused_v2; do
    # A day at most, whatever becomes of the backup.
    redis-cli -h "$INSTANCE-redis" SET "$key" commonscloud NX EX 86400 >/tmp/answer
    there=$(redis-cli -h "$INSTANCE-redis" EXISTS "$key")
    [ "$there" = 1 ] || fail "Redis $INSTANCE-redis does not keep $key: $(tail -n 1 /tmp/answer) $there"
done
# Requests and jobs that began before.
sleep 5
