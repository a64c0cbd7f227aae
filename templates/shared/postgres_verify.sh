#!/bin/bash
# Writes a line for each table: its rows, and a hash of them that their order makes no difference to.
set -euo pipefail
PGHOST=$INSTANCE-db
PGUSER=$(cat /secrets/db/username)
PGPASSWORD=$(cat /secrets/db/password)
# The role and its database have one name.
PGDATABASE=$PGUSER
PGCLIENTENCODING=UTF8
PGCONNECT_TIMEOUT=10
export PGHOST PGUSER PGPASSWORD PGDATABASE PGCLIENTENCODING PGCONNECT_TIMEOUT
# Some networks refuse until the policy of a new pod is in force.
until pg_isready --quiet || [ "$SECONDS" -ge 30 ]; do sleep 1; done

# Left out is what is counted while people only read, who is signed in, and what was logged of it (of Discourse and
# Keycloak; nobody else has these).
psql --no-psqlrc --no-password --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 <<'SQL' | LC_ALL=C sort
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
-- What a value looks like as text depends on these.
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SET LOCAL search_path = pg_catalog;
-- The first question decides of which moment all answers are.
SELECT FROM pg_class LIMIT 0;
\! : >"${BEGUN:-/dev/null}"
SELECT format($of_a_table$
    SELECT concat_ws(' ', 'table', %1$L, count(*), left(encode(sha256(convert_to(concat_ws(' ',
        sum(('x' || substr(hash, 1, 15))::bit(60)::bigint), sum(('x' || substr(hash, 16, 15))::bit(60)::bigint)
    ), 'UTF8')), 'hex'), 32))
    FROM (SELECT encode(sha256(convert_to("row of it"::text, 'UTF8')), 'hex') AS hash
        FROM ONLY %2$I.%3$I AS "row of it") AS hashes
    $of_a_table$, CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname, nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    AND relname NOT IN ('admin_event_entity', 'application_requests', 'event_entity', 'offline_client_session', 'offline_user_session',
        'revoked_token', 'scheduler_stats', 'user_auth_token_logs', 'user_auth_tokens', 'web_crawler_requests')
ORDER BY nspname COLLATE "C", relname COLLATE "C"
\gexec
COMMIT;
SQL
