#!/bin/sh
# Brings the databases to the version of the image, before any probe looks: waits for the server,
# makes or upgrades the databases, the first administrator and the ways to sign in. It may be killed
# at any moment: the next run ends what it began. When nothing is to be done it changes nothing.
#
# Phorge's own tool cannot be trusted with a first start: it makes hundreds of tables and notes only
# on the way that it did; killed before that, it begins again and fails at the first table for ever.
set -eu

# Beside the files, on the volume that outlives the pod, and where only this script can write: what
# serves has the folders of files and repositories mounted and no more.
marker=/data/.installing

say() { echo "prepare: $*"; }
fail() { echo "prepare: $*" >&2; exit 1; }
trap 'exit 143' TERM INT

# What PHP says of a failure ends with where it was, and the status shows the last line.
# run COMMAND...: its failure ends this script with the line that says what was wrong.
# guard: last-line
run() {
    rm -f /tmp/succeeded
    { "$@" 2>&1 && : >/tmp/succeeded; } | tee /tmp/said
    [ ! -e /tmp/succeeded ] || return 0
    fail "$*: $( (grep -m 1 -e 'EXCEPTION: ' -e 'Fatal error: ' /tmp/said || tail -n 1 /tmp/said) | cut -c 1-1000)"
}

# sql STATEMENT: the first column of the first row. The password is read from the environment.
sql() {
    php -r '
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        try {
            $server = mysqli_init();
            $server->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
            $server->real_connect(getenv("DB_HOST"), getenv("DB_USER"), getenv("DB_PASSWORD"));
            $answer = $server->query($argv[1]);
            echo $answer instanceof mysqli_result ? ($answer->fetch_row()[0] ?? "") : "";
        } catch (mysqli_sql_exception $error) {
            fwrite(STDERR, preg_replace("/\s+/", " ", $error->getMessage()) . "\n");
            exit(1);
        }' -- "$1"
}

# guard: database-late
wait_for_database() {
    waited=0
    until sql 'SELECT 1' >/tmp/answer 2>&1; do
        if [ "$waited" -ge 600 ]; then
            fail "the database $DB_HOST does not answer: $(tail -n 1 /tmp/answer)"
        fi
        if [ $((waited % 30)) -eq 0 ]; then
            say "waiting for the database $DB_HOST"
        fi
        sleep 2 &
        wait $!
        waited=$((waited + 2))
    done
}

# A server without these takes uploads apart and cuts texts short without a word.
# guard: server-settings
check_server() {
    packet=$(sql 'SELECT @@GLOBAL.max_allowed_packet')
    if [ "$packet" -lt 33554432 ]; then
        fail "the database's max_allowed_packet is $packet, and must be 33554432 at least"
    fi
    case ",$(sql 'SELECT @@GLOBAL.sql_mode')," in
    *,STRICT_ALL_TABLES,*) ;;
    *) fail "the database's sql_mode is without STRICT_ALL_TABLES" ;;
    esac
    if [ "$(sql 'SELECT @@GLOBAL.local_infile')" != 0 ]; then
        fail "the database's local_infile is on, and must be off"
    fi
}

# One of Phorge's databases, or nothing.
a_database() { sql "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'phorge\\_%' LIMIT 1"; }

# guard: interrupted-install
begin_or_begin_again() {
    if [ -e "$marker" ]; then
        say "making the databases was interrupted; beginning again"
        name=$(a_database)
        while [ -n "$name" ]; do
            sql "DROP DATABASE \`$name\`"
            name=$(a_database)
        done
    else
        # Not inside a test, as above: a server that does not answer is no empty one.
        name=$(a_database)
        if [ -z "$name" ]; then
            : >"$marker"
            sync
        fi
    fi
}

# A marker that a power cut brings back would drop what people have entered since.
end_the_marker() {
    [ -e "$marker" ] || return 0
    sync
    rm -f "$marker"
    sync
}

umask 0027
mkdir -p /data/files /data/repo
# guard: writable-files
for folder in /data/files /data/repo; do
    [ -w "$folder" ] || fail "$folder cannot be written by uid $(id -u)"
done
# A pod that was deleted by force may still be at work for a moment. The lock ends with its last process.
exec 8>>/data/.prepare.lock
flock 8
wait_for_database
check_server
begin_or_begin_again
run /srv/phorge/bin/storage upgrade --force
end_the_marker
run php /scripts/accounts.php
# Ways to sign in are this package's: nobody changes them in the browser.
run /srv/phorge/bin/auth lock
say "ready"
