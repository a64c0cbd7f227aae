#!/bin/bash
# Runs once, in the image's own set-up: the application's role, its database, and the extensions,
# which only a superuser can make (pgvector is not trusted). The marker goes last.
set -Eeuo pipefail
# guard: quoted-password
psql --username "$POSTGRES_USER" --dbname postgres --no-psqlrc --set ON_ERROR_STOP=1 <<'SQL'
\getenv password DISCOURSE_PASSWORD
CREATE ROLE discourse LOGIN PASSWORD :'password';
CREATE DATABASE discourse OWNER discourse TEMPLATE template0 ENCODING 'UTF8';
SQL
# guard: extensions
psql --username "$POSTGRES_USER" --dbname discourse --no-psqlrc --set ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION hstore;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION vector;
SQL
cd /var/lib/postgresql/data
sync
mv .initializing .made
sync
