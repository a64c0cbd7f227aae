#!/bin/bash
# Reads what dump.sh wrote into a server without Phorge's databases; with TABLE (`database.table`) only that table, in
# the place of what it holds, as one transaction.
set -euo pipefail
fail() { echo "load: $*" >&2; exit 1; }
# The client shows the statement that failed, and with it what people wrote: only why is told.
why() { { grep -m 1 '^ERROR' /tmp/errors || tail -n 1 /tmp/errors; } | cut -c 1-300; }
MYSQL_PWD=$(cat /secrets/db/password)
user=$(cat /secrets/db/username)
export MYSQL_PWD
# guard: sql-alone. The client has commands of its own, and may read files here for the server: a dump could run what it
# likes. In binary mode it knows none of them in what it reads, but DELIMITER and \C.
client=(mariadb --host="$INSTANCE-db" --user="$user" --max-allowed-packet=1G --batch --skip-column-names --binary-mode --local-infile=0)
sql() { "${client[@]}" --execute "$1"; }

waited=0
until sql 'SELECT 1' >/dev/null 2>/tmp/errors; do
    [ "$waited" -lt 600 ] || fail "the database $INSTANCE-db does not answer: $(why)"
    sleep 2
    waited=$((waited + 2))
done

if [ -n "${TABLE:-}" ]; then
    case $TABLE in
    *[\`]* | *.*.* | .* | *.) fail "$TABLE is no table: say its database as well, for example phorge_maniphest.maniphest_task" ;;
    phorge_*.*) ;;
    *) fail "$TABLE is no table of Phorge's: say its database as well, for example phorge_maniphest.maniphest_task" ;;
    esac
    # Of another engine nothing is taken back that was begun. In hexadecimal no sign ends the string.
    hex=$(printf %s "$TABLE" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F)
    engine=$(sql "SELECT engine FROM information_schema.tables WHERE HEX(CONCAT(table_schema, '.', table_name)) = '$hex'")
    case ${engine:-InnoDB} in InnoDB) ;; *) fail "the table $TABLE is of $engine, and not of InnoDB: nothing was changed" ;; esac
    export USED="USE \`${TABLE%%.*}\`;" LOCKED="LOCK TABLES \`${TABLE#*.}\` WRITE;" WHOLE="SELECT 'whole';"
    last=$({
        printf '%s\n' 'SET NAMES utf8mb4;' "SET TIME_ZONE = '+00:00';" "SET SQL_MODE = 'NO_AUTO_VALUE_ON_ZERO';" \
            'SET FOREIGN_KEY_CHECKS = 0;' "$USED" 'START TRANSACTION;' "DELETE FROM \`${TABLE#*.}\`;"
        # Ends of lines in values are written as \n: a line is what it looks like.
        awk '
            /^USE `/ { used = $0 == ENVIRON["USED"] }
            used && $0 == ENVIRON["LOCKED"] { ours = 1; found = 1 }
            $0 == "UNLOCK TABLES;" { ours = 0 }
            ours && /^(INSERT INTO|\()/ { print }
            { last = $0 }
            END { if (found && last == ENVIRON["WHOLE"]) print "COMMIT;\n" last }'
    } | "${client[@]}" 2>/tmp/errors | tail -n 1) || fail "$TABLE is as it was: $(why)"
    [ "$last" = whole ] || fail "the dump is cut off, or without the table $TABLE; nothing was changed"
    exit 0
fi

found=$(sql "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema LIKE 'phorge\\_%'")
[ "$found" = 0 ] || fail "Phorge's databases hold $found tables; they are loaded into an empty server, nothing is overwritten"
last=$("${client[@]}" 2>/tmp/errors | tail -n 1) || fail "the dump is loaded by half, begin again with an empty database: $(why)"
# guard: whole-dump
[ "$last" = whole ] || fail "the dump is cut off, and its first part is loaded: begin again with an empty database"
