#!/bin/bash
# Runs once, in the image's own set-up: the application's role, which may make no other role (else
# Nextcloud would make one of its own), and its database. The marker goes last.
set -Eeuo pipefail
# guard: quoted-password
psql --username "$POSTGRES_USER" --dbname postgres --no-psqlrc --set ON_ERROR_STOP=1 <<'SQL'
\getenv password NEXTCLOUD_PASSWORD
CREATE ROLE nextcloud LOGIN PASSWORD :'password';
CREATE DATABASE nextcloud OWNER nextcloud TEMPLATE template0 ENCODING 'UTF8';
SQL
cd /var/lib/postgresql/data
sync
mv .initializing .made
sync
