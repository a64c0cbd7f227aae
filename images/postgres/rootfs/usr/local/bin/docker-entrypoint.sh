#!/bin/bash
# Starts PostgreSQL as the upstream image does: the first start on an empty PGDATA makes the
# cluster, its superuser and its database, and runs /docker-entrypoint-initdb.d. Like upstream it
# takes PGDATA for finished once PG_VERSION is there, however far an interrupted start had come.
set -Eeuo pipefail

fail() {
    echo >&2 "error: $*"
    exit 1
}

# from_file NAME [DEFAULT]: NAME from the environment, or from the file that NAME_FILE names.
from_file() {
    local name=$1 file=${1}_FILE
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        fail "both $name and $file are set (but are exclusive)"
    fi
    local value=${!name:-${2:-}}
    if [ -n "${!file:-}" ]; then
        value=$(<"${!file}")
    fi
    export "$name=$value"
    unset "$file"
}

make_folders() {
    mkdir -p "$PGDATA" /run/postgresql
    chmod 700 "$PGDATA" 2>/dev/null || true
    chmod 3775 /run/postgresql 2>/dev/null || true
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /run/postgresql \! -user postgres -exec chown postgres {} +
    fi
}

check_environment() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        fail "Database is uninitialized and superuser password is not specified: set POSTGRES_PASSWORD"
    fi
}

make_cluster() {
    # initdb wants a name for its uid; any uid may be given to a pod.
    if ! getent passwd "$(id -u)" >/dev/null; then
        fail "uid $(id -u) has no name in this image: use runAsUser 999"
    fi
    local waldir=()
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
        waldir=(--waldir "$POSTGRES_INITDB_WALDIR")
    fi
    # POSTGRES_INITDB_ARGS is a piece of command line: it is split as a shell splits it, as upstream.
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${waldir[@]}" '"$POSTGRES_INITDB_ARGS"' "$@"'
    local method=${POSTGRES_HOST_AUTH_METHOD:-}
    if [ -z "$method" ]; then
        method=$(postgres -C password_encryption)
    fi
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# A server that only this container reaches, for the set-up.
temporary_server() {
    local verb=$1
    shift
    if [ "$verb" = start ]; then
        pg_ctl --pgdata "$PGDATA" --wait --options "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")" start
    else
        pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
    fi
}

run_sql() {
    PGHOST='' PGHOSTADDR='' PGPASSWORD=$POSTGRES_PASSWORD psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
        --no-password --no-psqlrc --dbname "${POSTGRES_DB:-$POSTGRES_USER}" "$@"
}

make_database() {
    if [ "$POSTGRES_DB" = postgres ]; then
        return
    fi
    local wanted=$POSTGRES_DB
    POSTGRES_DB=postgres run_sql --set wanted="$wanted" <<<'CREATE DATABASE :"wanted";'
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sh)
            echo "$0: running $file"
            if [ -x "$file" ]; then "$file"; else . "$file"; fi
            ;;
        *.sql) echo "$0: running $file"; run_sql --file "$file" ;;
        *.sql.gz) echo "$0: running $file"; gunzip --stdout "$file" | run_sql ;;
        *) echo "$0: ignoring $file" ;;
        esac
    done
}

case "${1:-}" in
-*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ]; then
    make_folders
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
    fi
    if [ -s "$PGDATA/PG_VERSION" ]; then
        echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
    else
        from_file POSTGRES_PASSWORD
        from_file POSTGRES_USER postgres
        from_file POSTGRES_DB "$POSTGRES_USER"
        from_file POSTGRES_INITDB_ARGS
        check_environment
        shopt -s nullglob
        make_cluster
        temporary_server start "${@:2}"
        make_database
        run_init_files
        temporary_server stop
        unset PGPASSWORD
        echo "PostgreSQL init process complete; ready for start up."
    fi
fi
exec "$@"
