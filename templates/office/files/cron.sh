#!/bin/sh
# Nextcloud's background jobs every five minutes, and its settings whenever they change: so a new
# quota or identity provider restarts nothing. Whether they are applied, applied.sh tells.
set -u
# The image's stop signal is Apache's: WINCH.
trap 'exit 0' TERM INT WINCH

state=/run/settings
rm -f "$state/failed"

# The line that says what was wrong: the settings' own, or of what occ prints the one below "In FILE line N:".
why() {
    awk 'NF { last = $0 }
        /^settings: |Fatal error: / || (below && NF) { exit }
        /^In .* line [0-9]+:$/ { below = 1 }
        END { sub(/^ +/, "", last); print substr(last, 1, 500) }' "$state/said"
}

apply() {
    rm -f "$state/succeeded"
    { sh /scripts/settings.sh 2>&1 && : >"$state/succeeded"; } | tee "$state/said"
    if [ -e "$state/succeeded" ]; then
        : >"$state/applied"
        # What was told of a failure is over with this container: the next one begins at once.
        [ ! -e "$state/failed" ] || exit 0
    else
        # guard: settings-told
        why >"$state/failed"
        rm -f "$state/applied"
        return 1
    fi
}

applied=
tried=
retry_at=0
jobs_at=0
while true; do
    now=$(date +%s)
    wanted=$(sha256sum /settings/* /oidc/* 2>/dev/null | sha256sum)
    # What was changed since is tried at once, the same again in a minute.
    if [ "$wanted" != "$applied" ] && { [ "$wanted" != "$tried" ] || [ "$now" -ge "$retry_at" ]; }; then
        tried=$wanted
        if apply; then
            applied=$wanted
            echo "cron: the settings are applied"
        else
            retry_at=$((now + 60))
            echo "cron: the settings could not be applied; trying again in a minute" >&2
        fi
    fi
    if [ "$now" -ge "$jobs_at" ]; then
        php -f /var/www/html/cron.php || echo "cron: the background jobs ended with an error" >&2
        jobs_at=$((now + 300))
    fi
    sleep 5 &
    wait $!
done
