#!/bin/bash
# Tests the server as the upstream image's healthcheck.sh does, in the order of the arguments:
# --datadir=DIR, --connect, --innodb_initialized, --innodb_buffer_pool_loaded, --mariadbupgrade.
set -eo pipefail

datadir=/var/lib/mysql

ask() {
    local options=()
    if [ -f "$datadir/.my-healthcheck.cnf" ]; then
        options=("--defaults-extra-file=$datadir/.my-healthcheck.cnf")
    fi
    mariadb "${options[@]}" --protocol=socket --batch --skip-column-names --execute "$1"
}

# The server of the first start's set-up is no answer: it has no network.
connect() {
    local answer
    answer=$(ask 'select @@skip_networking' 2>&1) || true
    case "$answer" in
    0) ;;
    "ERROR "1???" (28000)"*) (exec 3<>/dev/tcp/127.0.0.1/3306) ;;
    *) return 1 ;;
    esac
}

innodb_initialized() {
    [ "$(ask "select 1 from information_schema.engines where engine = 'innodb' and support in ('YES', 'DEFAULT')")" = 1 ]
}

innodb_buffer_pool_loaded() {
    ask "select variable_value from information_schema.global_status
        where variable_name = 'Innodb_buffer_pool_load_status'" | grep -q 'load completed'
}

mariadbupgrade() {
    [ ! -r "$datadir/mariadb_upgrade_info" ] || flock --exclusive --nonblock "$datadir/mariadb_upgrade_info" true
}

if [ $# = 0 ]; then
    echo >&2 "At least one argument required"
    exit 1
fi
while [ $# -gt 0 ]; do
    case "$1" in
    --datadir=*) datadir=${1#*=} ;;
    --datadir) datadir=$2; shift ;;
    --connect | --innodb_initialized | --innodb_buffer_pool_loaded | --mariadbupgrade)
        if ! "${1#--}"; then
            echo >&2 "healthcheck ${1#--} failed"
            exit 1
        fi
        ;;
    *)
        echo >&2 "healthcheck unknown option or test '${1#--}'"
        exit 1
        ;;
    esac
    shift
done
