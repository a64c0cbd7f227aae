#!/bin/bash
# What is done once the new version serves: the migrations that take away what the version before
# used, and the first administrator. Serving does not depend on it: what fails is tried again.
set -uo pipefail
trap 'exit 0' TERM INT

pause() { sleep "$1" & wait $!; }

serves() (
    exec 9<>/dev/tcp/127.0.0.1/80 || exit 1
    printf 'GET /srv/status HTTP/1.0\r\nHost: %s\r\n\r\n' "$DISCOURSE_HOSTNAME" >&9
    grep -q '^ok' <&9
)

settle() {
    cd /var/www/discourse || return 1
    su discourse -c 'bundle exec rake db:migrate' || return 1
    su discourse -c 'bundle exec rails runner /scripts/first_admin.rb'
}

/etc/runit/1.d/copy-env && /bin/bash /scripts/settings.sh || exit 1
until serves 2>/dev/null; do pause 3; done
until settle; do
    echo "settle: not done; trying again in a minute" >&2
    pause 60
done
echo "settle: done"
while true; do pause 3600; done
