#!/bin/sh
# Nextcloud's background jobs every five minutes, and its settings whenever they change: so a new
# quota or identity provider restarts nothing.
set -u
# The image's stop signal is Apache's: WINCH.
trap 'exit 0' TERM INT WINCH

applied=
retry_at=0
jobs_at=0
while true; do
    now=$(date +%s)
    wanted=$(sha256sum /settings/* /oidc/* 2>/dev/null | sha256sum)
    if [ "$wanted" != "$applied" ] && [ "$now" -ge "$retry_at" ]; then
        if sh /scripts/settings.sh; then
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
