#!/bin/bash
# Writes a line for each table: its rows, and a hash of them that their order makes no difference to.
set -euo pipefail
fail() { echo "verify: $*" >&2; exit 1; }
MYSQL_PWD=$(cat /secrets/db/password)
user=$(cat /secrets/db/username)
export MYSQL_PWD
# guard: sql-alone. The questions have names in them that somebody else gave to tables.
client=(mariadb --host="$INSTANCE-db" --user="$user" --connect-timeout=10 --batch --skip-column-names --unbuffered --binary-mode --local-infile=0)
# Some networks refuse until the policy of a new pod is in force.
until "${client[@]}" --execute 'SELECT 1' >/dev/null 2>&1 || [ "$SECONDS" -ge 30 ]; do sleep 1; done

# A question for each table, but for the cache, and for tables that no transaction covers: words to search by, which
# are made anew. A value is told by its bytes, a long one by the hash of them, and nothing from an empty one.
questions=$("${client[@]}" --raw <<'SQL'
SET SESSION group_concat_max_len = 16777216;
SELECT CONCAT('SELECT ', QUOTE(CONCAT(t.table_schema, '.', t.table_name)), ', COUNT(*), COUNT(hash), SHA2(CONCAT_WS('' '',
    SUM(CAST(CONV(SUBSTR(hash, 1, 15), 16, 10) AS UNSIGNED)), SUM(CAST(CONV(SUBSTR(hash, 16, 15), 16, 10) AS UNSIGNED))), 256)
    FROM (SELECT SHA2(CONCAT_WS('','', ', c.told, '), 256) AS hash FROM `', t.table_schema, '`.`', REPLACE(t.table_name, '`', '``'), '`',
    -- What quiesce.sh set.
    IF(t.table_schema = 'phorge_config' AND t.table_name = 'config_entry', ' WHERE phid <> ''PHID-CONF-commonscloudbackup''', ''),
    ') AS hashes;')
FROM information_schema.tables t JOIN (
    SELECT table_schema, table_name, GROUP_CONCAT('IFNULL(', IF(
        data_type IN ('tinyblob', 'blob', 'mediumblob', 'longblob', 'tinytext', 'text', 'mediumtext', 'longtext'), 'SHA2(', 'HEX(CAST('
    ), '`', REPLACE(column_name, '`', '``'), '`', IF(
        data_type IN ('tinyblob', 'blob', 'mediumblob', 'longblob', 'tinytext', 'text', 'mediumtext', 'longtext'), ', 256)', ' AS BINARY))'
    ), ', ''-'')' ORDER BY ordinal_position SEPARATOR ', ') AS told
    FROM information_schema.columns WHERE table_schema LIKE 'phorge\_%' GROUP BY table_schema, table_name
) c USING (table_schema, table_name)
WHERE t.table_type = 'BASE TABLE' AND t.engine = 'InnoDB' AND t.table_schema <> 'phorge_cache'
ORDER BY t.table_schema, t.table_name;
SQL
)
[ -n "$questions" ] || fail "the server has none of Phorge's tables"

{
    echo "SET TIME_ZONE = '+00:00'; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
    echo "START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT 'begun';"
    printf '%s\n' "$questions"
} | "${client[@]}" | {
    IFS= read -r line
    [ "$line" = begun ]
    : >"${BEGUN:-/dev/null}"
    # A row that is too long to be hashed would be left out without a word.
    exec awk -F '\t' '
        $2 != $3 { print "verify: " $2 - $3 " rows of " $1 " cannot be hashed" >"/dev/stderr"; failed = 1 }
        { print "table", $1, $2, substr($4, 1, 32) }
        END { exit failed }'
} | LC_ALL=C sort
