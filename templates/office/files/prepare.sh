#!/bin/sh
# Brings the volumes to the version of the image, before any probe looks: waits for the database,
# installs or upgrades Nextcloud. It may be killed at any moment: the next run ends what it began.
#
# The image's own entrypoint cannot be trusted with that: it copies version.php to the volume before
# it installs or upgrades, and takes equal versions for a finished work.
set -eu

html=/var/www/html
config=$html/config/config.php
files=$NEXTCLOUD_DATA_DIR
# Beside the files, where only this script can write: what serves has their folder mounted and no more.
# Not on the application's volume: rsync --delete clears that one.
marker=$(dirname "$files")/.installing

say() { echo "prepare: $*"; }
fail() { echo "prepare: $*" >&2; exit 1; }
# The image's stop signal is Apache's: WINCH.
trap 'exit 143' TERM INT WINCH

occ() { php "$html/occ" --no-interaction "$@"; }

# sql STATEMENT: the first column of the first row. The password is read from the environment.
sql() {
    php -r '
        try {
            $pdo = new PDO("pgsql:host=" . getenv("POSTGRES_HOST") . ";dbname=" . getenv("POSTGRES_DB"),
                getenv("POSTGRES_USER"), getenv("POSTGRES_PASSWORD"), [PDO::ATTR_TIMEOUT => 5, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
            $statement = $pdo->query($argv[1]);
            echo $statement->columnCount() > 0 ? $statement->fetchColumn() : "";
        } catch (PDOException $error) {
            // One line: the status shows the last.
            fwrite(STDERR, preg_replace("/\s+/", " ", $error->getMessage()) . "\n");
            exit(1);
        }' -- "$1"
}

# guard: database-late
wait_for_database() {
    waited=0
    until sql 'SELECT 1' >/tmp/answer 2>&1; do
        if [ "$waited" -ge 600 ]; then
            fail "the database $POSTGRES_HOST does not answer: $(tail -n 1 /tmp/answer)"
        fi
        if [ $((waited % 30)) -eq 0 ]; then
            say "waiting for the database $POSTGRES_HOST"
        fi
        sleep 2 &
        wait $!
        waited=$((waited + 2))
    done
}

# From the configuration alone: occ itself may be half-copied.
installed() {
    [ -s "$config" ] && php -r '$CONFIG = []; @include $argv[1]; exit(empty($CONFIG["installed"]) ? 1 : 0);' -- "$config"
}

tables() { sql "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"; }

is_empty() { inside=$(ls -A "$1") && [ -z "$inside" ]; }

# guard: interrupted-install
begin_or_begin_again() {
    if [ -e "$marker" ]; then
        say "an installation was interrupted; beginning it again"
        # Older packages made an empty marker, and did not look at the files before.
        if [ ! -s "$marker" ] && ! is_empty "$files"; then
            fail "an installation was interrupted, and the data volume holds files that may be older; move away what lies in $files"
        fi
        sql 'DROP SCHEMA public CASCADE' >/dev/null
        sql 'CREATE SCHEMA public' >/dev/null
        rm -f "$config" "$html/version.php"
        # guard: first-try-files
        find "$files" -mindepth 1 -delete
    elif ! installed; then
        found=$(tables)
        if [ "$found" != 0 ]; then
            fail "the database holds tables, but this volume holds no finished configuration; restore config/config.php, nothing is overwritten here"
        fi
        # guard: files-alone
        is_empty "$files" || fail "the data volume holds files, but the database is empty; restore the database too, or move the files away: nothing is overwritten here"
        echo 'no installation ended here yet, and the folder of files was empty before' >"$marker"
        sync
        rm -f "$html/version.php"
    fi
}

# A marker that a power cut brings back would drop what people have entered since.
end_the_marker() {
    [ -e "$marker" ] || return 0
    sync
    rm -f "$marker"
    sync
}

# guard: interrupted-upgrade
end_what_was_begun() {
    status=$(occ status --output=json)
    case $status in
    *'"needsDbUpgrade":true'* | *'"needsDbUpgrade": true'*)
        say "an upgrade was interrupted; ending it"
        occ upgrade
        ;;
    esac
    case $(occ status --output=json) in
    *'"maintenance":true'* | *'"maintenance": true'*) occ maintenance:mode --off ;;
    esac
}

umask 0027
# guard: session-file
# The container that serves gets this one file mounted; it must be there before.
touch /session/redis-session.ini
mkdir -p "$files"
chmod 0770 "$files"
# A pod that was deleted by force may still be at work for a moment. The lock ends with its last process.
exec 8>"$(dirname "$files")/.prepare.lock"
flock 8
wait_for_database
begin_or_begin_again
# Equal versions make this a moment; what it prints stays in the pod's log.
NEXTCLOUD_UPDATE=1 /entrypoint.sh true
installed || fail "the installation ended without being finished; its messages stand above"
end_the_marker
end_what_was_begun
occ config:system:set trusted_domains 1 --value="$NEXTCLOUD_TRUSTED_DOMAINS"
say "ready: $(occ status --output=json)"
