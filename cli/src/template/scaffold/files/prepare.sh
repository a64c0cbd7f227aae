#!/bin/sh
# Makes the file of users from the generated Secret, before the application starts.
set -eu
printf '%s' "$ADMIN_PASSWORD" | htpasswd -niB "$ADMIN_USER" > /run/app/users.new
mv /run/app/users.new /run/app/users
