#!/bin/sh
# The last of the scripts that the image runs once: the database is made.
set -eu
cd /var/lib/mysql
sync
mv .initializing .made
sync
