#!/bin/sh
# The last of the scripts that the image runs once: the database is made.
set -eu
sync
rm -f /var/lib/mysql/.initializing
sync
