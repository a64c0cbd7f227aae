#!/bin/sh
# Applies what /settings says, a file per setting; an absent file takes the setting back.
set -eu

fail() { echo "settings: $*" >&2; exit 1; }
# While a backup keeps the office quiet nothing is applied: apps do nothing then, and what is written into the
# configuration would have its maintenance in it, for ever. Its file goes last of all.
quiet=/var/www/html/config/commonscloud_backup.config.php
awake() {
    [ -e "$quiet" ] || return 0
    echo "waiting: a backup keeps the office quiet" >&2
    while [ -e "$quiet" ]; do sleep 2; done
}
# guard: quiet-awaited. What began at the same moment is done again afterwards.
occ() {
    while true; do
        awake
        began=$(date +%s)
        said=$(php /var/www/html/occ --no-interaction "$@") && code=0 || code=$?
        quiet_since=$(stat -c %Y "$quiet" 2>/dev/null) && [ "$quiet_since" -le $((began + 5)) ] || break
    done
    [ -z "$said" ] || printf '%s\n' "$said"
    return "$code"
}
setting() { [ -f "/settings/$1" ] && cat "/settings/$1"; }

occ background:cron
occ config:system:set trusted_domains 1 --value="$(setting hostname)"
# What the page calls itself, and the line below it.
occ config:app:set theming name --value="$(setting display_name)"
occ config:app:set theming slogan --value="$(setting title)"

# Background jobs that take long have the four hours from 1:00, UTC.
occ config:system:set maintenance_window_start --type=integer --value=1
# The log is the container's output: Nextcloud's page of it has no file to read.
occ app:disable logreader >/dev/null 2>&1 || true
# What looks for something in the internet waits half a minute in vain where no policy lets it out.
if setting internet >/dev/null; then
    occ config:system:delete has_internet_connection
else
    occ config:system:set has_internet_connection --type=boolean --value=false
fi

if quota=$(setting default_user_quota); then
    # guard: quota-in-bytes
    # In bytes: Nextcloud's own units are others, and what it cannot read it takes for 0. numfmt knows
    # no small k. Not inside an argument, where a failure ends nothing.
    bytes=$(echo "$quota" | sed 's/k$/K/' | numfmt --from=auto) ||
        fail "the default quota of a person, $quota, cannot be told in bytes"
    occ config:app:set files default_quota --value="$bytes B"
    occ config:app:set files allow_unlimited_quota --value=0
else
    occ config:app:set files default_quota --value=none
    occ config:app:set files allow_unlimited_quota --value=1
fi

if region=$(setting phone_region); then
    occ config:system:set default_phone_region --value="$region"
else
    occ config:system:delete default_phone_region
fi

# The app is in the image, or fetched.
app() {
    occ app:enable "$1" || occ app:install "$1" || fail "the app $1 is neither in the image nor can it be fetched"
}

if editor=$(setting editor_url); then
    app richdocuments
    occ config:app:set richdocuments wopi_url --value="$editor"
    occ config:app:set richdocuments public_wopi_url --value="$(setting editor_public_url)"
    occ richdocuments:activate-config
else
    occ app:disable richdocuments >/dev/null 2>&1 || true
fi

# By which claim people of the identity provider are known is decided once, at the first run: another
# one gives everybody an empty account. `sub` is the provider's own. preferred_username is what people
# may choose themselves, and stays where there may be people of it already.
# guard: claim-of-people
claim=$(occ config:app:get commonscloud oidc_uid --default-value=none)
if [ "$claim" = none ]; then
    claim=sub
    enabled=$(occ config:app:get user_oidc enabled --default-value=never)
    [ "$enabled" = never ] || claim=preferred_username
    occ config:app:set commonscloud oidc_uid --value="$claim"
fi

if issuer=$(setting oidc_issuer); then
    app user_oidc
    for key in client-id client-secret; do
        [ -s "/oidc/$key" ] || fail "the Secret that oidc.clientSecretName names has no $key"
    done
    client=$(cat /oidc/client-id)
    # Else whoever bears the name of one of the office's own accounts gets it: admin, for one.
    # guard: own-accounts
    occ config:system:set user_oidc soft_auto_provision --type=boolean --value=false
    # A provider may have a private address. What else has one is closed by the network policies.
    occ config:system:set allow_local_remote_servers --type=boolean --value=true
    occ user_oidc:provider commonscloud \
        --clientid="$client" \
        --clientsecret-file=/oidc/client-secret \
        --discoveryuri="$issuer/.well-known/openid-configuration" \
        --scope="openid email profile $(setting oidc_groups_claim)" \
        --mapping-uid="$claim" \
        --unique-uid=0 \
        --mapping-groups="$(setting oidc_groups_claim)" \
        --group-provisioning=1 \
        --group-whitelist-regex="$(setting oidc_groups_regex)" \
        --group-restrict-login-to-whitelist=1
else
    occ user_oidc:provider:delete --force commonscloud >/dev/null 2>&1 || true
    occ config:system:delete allow_local_remote_servers
fi

# What upstream leaves to whoever administers: the indices of a new version, and repairs that take long.
after_upgrade() {
    version=$(occ config:system:get version)
    [ "$(occ config:app:get commonscloud repaired --default-value=none)" != "$version" ] || return 0
    echo "settings: adding what version $version needs; people work meanwhile"
    occ db:add-missing-indices && occ maintenance:repair --include-expensive &&
        occ config:app:set commonscloud repaired --value="$version" ||
        echo "settings: it did not come to its end, and begins again with the next settings or pod" >&2
}
# Beside all else, and killed with the pod: what did not end begins again. Not into this script's own
# output, whose end somebody may wait for.
# guard: after-upgrade
log=/proc/1/fd/1
[ -w "$log" ] || log=/dev/null
(flock -n 7 || exit 0; after_upgrade) 7>/tmp/after-upgrade.lock </dev/null >>"$log" 2>&1 &
