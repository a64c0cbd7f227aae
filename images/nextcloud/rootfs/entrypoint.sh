#!/bin/sh
# Does what the entrypoint of the upstream image does, in its order, its traps included: version.php
# reaches the volume before the installation or the upgrade has run.
set -eu

source=/usr/src/nextcloud
html=/var/www/html

is_root() { [ "$(id -u)" = 0 ]; }

# Runs a command line as the application's user.
as_user() {
    if is_root; then
        su -p "$user" -s /bin/sh -c "$1"
    else
        sh -c "$1"
    fi
}

# from_file NAME: NAME from the environment, or from the file that NAME_FILE names.
from_file() {
    eval "value=\${$1:-}; file=\${${1}_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        echo >&2 "error: both $1 and ${1}_FILE are set (but are exclusive)"
        exit 1
    fi
    if [ -n "$file" ]; then
        value=$(cat "$file")
    fi
    if [ -n "$value" ]; then
        export "$1=$value"
    fi
    unset "${1}_FILE"
}

run_hooks() {
    folder=/docker-entrypoint-hooks.d/$1
    [ -d "$folder" ] || return 0
    for hook in "$folder"/*.sh; do
        [ -f "$hook" ] || continue
        if [ ! -x "$hook" ]; then
            echo "==> The script \"$hook\" was skipped: it is not executable"
            continue
        fi
        echo "==> Running the script: \"$hook\""
        as_user "$hook" || { code=$?; echo "==> Failed at executing \"$hook\". Exit code: $code"; exit 1; }
    done
}

version_of() { php -r "require '$1/version.php'; echo implode('.', \$OC_Version);"; }

# is_newer A B: whether version A is greater than B.
is_newer() { php -r 'exit(version_compare($argv[1], $argv[2], ">") ? 0 : 1);' "$1" "$2"; }

# The password goes into an ini file and a URL as it is: what means something there breaks it.
write_session_handler() {
    echo "Configuring Redis as session handler"
    from_file REDIS_HOST_PASSWORD
    auth=
    if [ -n "${REDIS_HOST_PASSWORD:-}" ]; then
        auth="?auth=$REDIS_HOST_PASSWORD"
        if [ -n "${REDIS_HOST_USER:-}" ]; then
            auth="?auth[]=$REDIS_HOST_USER&auth[]=$REDIS_HOST_PASSWORD"
        fi
    fi
    case "$REDIS_HOST" in
    /*) path="unix://$REDIS_HOST$auth" ;;
    *) path="tcp://$REDIS_HOST:${REDIS_HOST_PORT:-6379}$auth" ;;
    esac
    {
        echo "session.save_handler = redis"
        echo "session.save_path = \"$path\""
        echo "redis.session.locking_enabled = 1"
        echo "redis.session.lock_retries = -1"
        echo "redis.session.lock_wait_time = 10000"
    } >/usr/local/etc/php/conf.d/redis-session.ini
}

copy_files() {
    options=-rlD
    if is_root; then
        options="-rlDog --chown $user:$group"
    fi
    rsync $options --delete --exclude-from=/upgrade.exclude "$source/" "$html/"
    for folder in config data custom_apps themes; do
        if [ ! -d "$html/$folder" ] || [ -z "$(ls -A "$html/$folder")" ]; then
            rsync $options --include "/$folder/" --exclude '/*' "$source/" "$html/"
        fi
    done
    rsync $options --include /version.php --exclude '/*' "$source/" "$html/"
}

install_application() {
    echo "New nextcloud instance"
    for name in NEXTCLOUD_ADMIN_PASSWORD NEXTCLOUD_ADMIN_USER POSTGRES_DB POSTGRES_PASSWORD POSTGRES_USER; do
        from_file "$name"
    done
    if [ -z "${NEXTCLOUD_ADMIN_USER+x}" ] || [ -z "${NEXTCLOUD_ADMIN_PASSWORD+x}" ] || [ -z "${POSTGRES_DB+x}" ] ||
        [ -z "${POSTGRES_USER+x}" ] || [ -z "${POSTGRES_PASSWORD+x}" ] || [ -z "${POSTGRES_HOST+x}" ]; then
        echo "Next step: Access your instance to finish the web-based installation!"
        return 0
    fi
    run_hooks pre-installation
    install='php /var/www/html/occ maintenance:install -n
        --admin-user "$NEXTCLOUD_ADMIN_USER" --admin-pass "$NEXTCLOUD_ADMIN_PASSWORD"
        --database pgsql --database-name "$POSTGRES_DB" --database-user "$POSTGRES_USER"
        --database-pass "$POSTGRES_PASSWORD" --database-host "$POSTGRES_HOST"'
    if [ -n "${NEXTCLOUD_DATA_DIR+x}" ]; then
        install="$install --data-dir \"\$NEXTCLOUD_DATA_DIR\""
    fi
    echo "Starting nextcloud installation"
    try=0
    until [ "$try" -gt 10 ] || as_user "$(echo "$install" | tr '\n' ' ')"; do
        echo "Retrying install..."
        try=$((try + 1))
        sleep 10
    done
    if [ "$try" -gt 10 ]; then
        echo "Installing of nextcloud failed!"
        exit 1
    fi
    index=1
    for domain in ${NEXTCLOUD_TRUSTED_DOMAINS:-}; do
        as_user "php $html/occ config:system:set trusted_domains $index --value=$domain"
        index=$((index + 1))
    done
    run_hooks post-installation
}

upgrade_application() {
    run_hooks pre-upgrade
    as_user "php $html/occ upgrade"
    run_hooks post-upgrade
}

# Brings the volume to the version of the image.
initialize() {
    installed=0.0.0.0
    if [ -f "$html/version.php" ]; then
        installed=$(version_of "$html")
    fi
    image=$(version_of "$source")
    if is_newer "$installed" "$image"; then
        echo "Can't start Nextcloud because the version of the data ($installed) is higher than the docker image version ($image) and downgrading is not supported."
        exit 1
    fi
    is_newer "$image" "$installed" || return 0
    echo "Initializing nextcloud $image ..."
    if [ "$installed" != 0.0.0.0 ] && [ "${image%%.*}" -gt "$((${installed%%.*} + 1))" ]; then
        echo "Can't start Nextcloud because upgrading from $installed to $image is not supported: only one major version at a time."
        exit 1
    fi
    copy_files
    if [ "$installed" = 0.0.0.0 ]; then
        install_application
    else
        echo "Upgrading nextcloud from $installed ..."
        upgrade_application
    fi
    echo "Initializing finished"
}

case "$1" in
apache*)
    if [ -n "${APACHE_DISABLE_REWRITE_IP+x}" ]; then
        a2disconf -q remoteip
    fi
    serves=yes
    ;;
php-fpm) serves=yes ;;
*) serves=no ;;
esac

if [ "$serves" = yes ] || [ "${NEXTCLOUD_UPDATE:-0}" -eq 1 ]; then
    user=$(id -u) group=$(id -g)
    if is_root; then
        user=${APACHE_RUN_USER:-www-data} group=${APACHE_RUN_GROUP:-www-data}
        user=${user#'#'} group=${group#'#'}
    fi
    if [ -n "${REDIS_HOST+x}" ]; then
        write_session_handler
    fi
    (
        if ! flock -n 9; then
            echo "Another process is initializing Nextcloud. Waiting..."
            flock 9
        fi
        initialize
    ) 9>"$html/nextcloud-init-sync.lock"
    run_hooks before-starting
fi

exec "$@"
