#!/bin/bash
# Runs once, in the image's own set-up: the application's role, which may make no other role, and its
# database. The marker goes last.
set -Eeuo pipefail
# guard: quoted-password
psql --username "$POSTGRES_USER" --dbname postgres --no-psqlrc --set ON_ERROR_STOP=1 <<'SQL'
\getenv password KEYCLOAK_PASSWORD
CREATE ROLE keycloak LOGIN PASSWORD :'password';
CREATE DATABASE keycloak OWNER keycloak TEMPLATE template0 ENCODING 'UTF8';
SQL
cd /var/lib/postgresql/data
sync
mv .initializing .made
sync
