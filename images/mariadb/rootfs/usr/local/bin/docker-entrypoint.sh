#!/bin/bash
# Starts MariaDB as the upstream image does: the first start on an empty data folder makes the
# system tables, the passwords, the database and its user, and runs /docker-entrypoint-initdb.d.
# Like upstream it takes the folder for finished once DATADIR/mysql is there, however far an
# interrupted start had come.
set -Eeo pipefail
shopt -s nullglob

note() { echo "$(date --rfc-3339=seconds) [Note] [Entrypoint]: $*"; }

fail() {
    echo >&2 "$(date --rfc-3339=seconds) [ERROR] [Entrypoint]: $*"
    exit 1
}

# from_file NAME [DEFAULT]: NAME from the environment, or from the file that NAME_FILE names.
from_file() {
    local name=$1 file=${1}_FILE
    if [ -n "${!name}" ] && [ -n "${!file}" ]; then
        fail "Both $name and $file are set (but are exclusive)"
    fi
    local value=${!name:-$2}
    if [ -n "${!file}" ]; then
        value=$(<"${!file}")
    fi
    export "$name=$value"
    unset "$file"
}

# variable NAME [DEFAULT]: MARIADB_NAME, also under its old name MYSQL_NAME; both become the same.
variable() {
    from_file "MYSQL_$1" "$2"
    local old=MYSQL_$1 new=MARIADB_$1
    from_file "$new" "${!old}"
    export "$old=${!new}"
}

# setting NAME MARIADBD...: a value as the server's options and files give it.
setting() {
    local name=$1
    shift
    "$@" --verbose --help 2>/dev/null |
        awk -v name="$name" '$1 == name && /^[^ \t]/ { sub(/^[^ \t]+[ \t]+/, ""); print; exit }'
}

read_settings() {
    local problem
    if ! problem=$("$@" --verbose --help 2>&1 >/dev/null); then
        fail "mariadbd failed while attempting to check config: $problem"
    fi
    DATADIR=$(setting datadir "$@")
    SOCKET=$(setting socket "$@")
    PORT=$(setting port "$@")
    variable ROOT_HOST %
    variable DATABASE
    variable USER
    variable PASSWORD
    variable ROOT_PASSWORD
    : "${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:=$MYSQL_ALLOW_EMPTY_PASSWORD}"
    : "${MARIADB_RANDOM_ROOT_PASSWORD:=$MYSQL_RANDOM_ROOT_PASSWORD}"
    : "${MARIADB_INITDB_SKIP_TZINFO:=$MYSQL_INITDB_SKIP_TZINFO}"
}

check_environment() {
    if [ -z "$MARIADB_ROOT_PASSWORD$MARIADB_ALLOW_EMPTY_ROOT_PASSWORD$MARIADB_RANDOM_ROOT_PASSWORD" ]; then
        fail "Database is uninitialized and password option is not specified: set one of MARIADB_ROOT_PASSWORD," \
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD"
    fi
}

# Statements from the input, as root over the socket. Scripts of /docker-entrypoint-initdb.d use it.
docker_process_sql() {
    local password=$MARIADB_ROOT_PASSWORD
    if [ "$1" = --dont-use-mysql-root-password ]; then
        password=
        shift
    fi
    local database=()
    if [ -n "$MARIADB_DATABASE" ]; then
        database=("--database=$MARIADB_DATABASE")
    fi
    MYSQL_PWD=$password mariadb --protocol=socket --socket="$SOCKET" -uroot -hlocalhost "${database[@]}" "$@"
}

# What stands between quotes for VALUE.
docker_sql_escape_string_literal() {
    local escaped=${1//\\/\\\\}
    escaped=${escaped//$'\n'/\\n}
    echo "${escaped//\'/\\\'}"
}

# A server that only this container reaches, for the set-up.
start_temporary_server() {
    "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" --wsrep_on=OFF --expire-logs-days=0 \
        --loose-innodb_buffer_pool_load_at_startup=0 &
    SERVER=$!
    local end=$((SECONDS + 120))
    until docker_process_sql --dont-use-mysql-root-password --database=mysql <<<'SELECT 1' &>/dev/null; do
        if ! kill -0 "$SERVER" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
            fail "Unable to start server."
        fi
        sleep 0.2
    done
}

stop_temporary_server() {
    kill "$SERVER"
    wait "$SERVER"
}

make_system_tables() {
    mariadb-install-db --datadir="$DATADIR" --rpm --auth-root-authentication-method=normal "${@:2}" --skip-test-db \
        --default-time-zone=SYSTEM --enforce-storage-engine= --skip-log-bin --expire-logs-days=0 \
        --loose-innodb_buffer_pool_load_at_startup=0 --loose-innodb_buffer_pool_dump_at_shutdown=0
}

# Statements for the user that healthcheck.sh uses; its password goes to a file in the data folder.
healthcheck_user() {
    local password host
    password=$(random_password)
    for host in 127.0.0.1 ::1 localhost; do
        echo "CREATE USER IF NOT EXISTS healthcheck@'$host' IDENTIFIED BY '$password';"
        echo "GRANT USAGE ON *.* TO healthcheck@'$host';"
    done
    (
        umask 0077
        printf '[mariadb-client]\nport=%s\nsocket=%s\nuser=healthcheck\npassword=%s\n' "$PORT" "$SOCKET" "$password" \
            >"$DATADIR/.my-healthcheck.cnf"
    )
}

random_password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

# Statements for the database of MARIADB_DATABASE and who may use it.
database_and_user() {
    local database=${MARIADB_DATABASE//\`/\`\`}
    if [ -n "$database" ]; then
        echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    fi
    if [ -n "$MARIADB_USER" ] && [ -n "$MARIADB_PASSWORD" ]; then
        local user
        user="'$(docker_sql_escape_string_literal "$MARIADB_USER")'@'%'"
        echo "CREATE USER $user IDENTIFIED BY '$(docker_sql_escape_string_literal "$MARIADB_PASSWORD")';"
        if [ -n "$database" ]; then
            echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $user;"
        fi
    fi
}

secure() {
    if [ -n "$MARIADB_RANDOM_ROOT_PASSWORD" ]; then
        MARIADB_ROOT_PASSWORD=$(random_password)
        export MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD=$MARIADB_ROOT_PASSWORD
        note "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
    fi
    local password remote=
    password=$(docker_sql_escape_string_literal "$MARIADB_ROOT_PASSWORD")
    if [ -n "$MARIADB_ROOT_HOST" ] && [ "$MARIADB_ROOT_HOST" != localhost ]; then
        remote="CREATE USER 'root'@'$MARIADB_ROOT_HOST' IDENTIFIED BY '$password';
            GRANT ALL ON *.* TO 'root'@'$MARIADB_ROOT_HOST' WITH GRANT OPTION;"
    fi
    if [ -n "$MARIADB_MYSQL_LOCALHOST_USER" ]; then
        remote="$remote CREATE USER mysql@localhost IDENTIFIED VIA unix_socket;
            ${MARIADB_MYSQL_LOCALHOST_GRANTS:+GRANT $MARIADB_MYSQL_LOCALHOST_GRANTS ON *.* TO mysql@localhost;}"
    fi
    docker_process_sql --dont-use-mysql-root-password --database=mysql --binary-mode <<SQL
SET @@SESSION.SQL_LOG_BIN = 0;
SET @@SESSION.SQL_MODE = REPLACE(@@SESSION.SQL_MODE, 'NO_BACKSLASH_ESCAPES', '');
DROP USER IF EXISTS root@'127.0.0.1', root@'::1';
EXECUTE IMMEDIATE CONCAT('DROP USER IF EXISTS root@\'', @@hostname, '\'');
SET PASSWORD FOR 'root'@'localhost' = PASSWORD('$password');
$remote
$(healthcheck_user)
SET @@SESSION.SQL_LOG_BIN = 1;
$(database_and_user)
SQL
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sh)
            note "running $file"
            if [ -x "$file" ]; then "$file"; else . "$file"; fi
            ;;
        *.sql) note "running $file"; docker_process_sql <"$file" ;;
        *.sql.gz) note "running $file"; gunzip --stdout "$file" | docker_process_sql ;;
        *) note "ignoring $file" ;;
        esac
    done
}

initialize() {
    check_environment
    # A folder of scripts that cannot be read is noticed before anything is made.
    ls /docker-entrypoint-initdb.d/ >/dev/null
    note "Initializing database files"
    make_system_tables "$@"
    start_temporary_server "$@"
    if [ -z "$MARIADB_INITDB_SKIP_TZINFO" ]; then
        mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null |
            docker_process_sql --dont-use-mysql-root-password --database=mysql
    fi
    secure
    run_init_files
    stop_temporary_server
    note "MariaDB init process done. Ready for start up."
}

# The release, such as 10.11, that the system tables are for.
release_of_tables() { cut -d. -f1,2 "$DATADIR/mariadb_upgrade_info" 2>/dev/null || true; }

upgrade_tables() {
    local release
    release=$(mariadbd --version | sed -E 's/.*Ver ([0-9]+\.[0-9]+)\..*/\1/')
    if [ "$(release_of_tables)" = "$release" ]; then
        return
    fi
    if [ "${MARIADB_AUTO_UPGRADE:-0}" = 0 ]; then
        note "MariaDB upgrade (mariadb-upgrade) required, but skipped due to \$MARIADB_AUTO_UPGRADE setting"
        return
    fi
    start_temporary_server "$@" --skip-grant-tables --loose-innodb_buffer_pool_dump_at_shutdown=0
    mariadb-upgrade --socket="$SOCKET" --upgrade-system-tables
    stop_temporary_server
}

wants_help() {
    local argument
    for argument; do
        case "$argument" in
        '-?' | --help | --print-defaults | -V | --version) return 0 ;;
        esac
    done
    return 1
}

case "$1" in
-*) set -- mariadbd "$@" ;;
esac

if { [ "$1" = mariadbd ] || [ "$1" = mysqld ]; } && ! wants_help "$@"; then
    read_settings "$@"
    mkdir -p "$DATADIR"
    if [ "$(id -u)" = 0 ]; then
        find "$DATADIR" \! -user mysql -exec chown mysql: {} +
        find "${SOCKET%/*}" -maxdepth 0 \! -user mysql -exec chown mysql: {} \;
        exec setpriv --reuid=mysql --regid=mysql --init-groups "$BASH_SOURCE" "$@"
    fi
    if [ -d "$DATADIR/mysql" ]; then
        note "MariaDB database directory appears to contain a database; skipping initialization"
        upgrade_tables "$@"
    else
        initialize "$@"
    fi
fi
exec "$@"
