#!/bin/sh
# The readiness probe of a container that applies settings: applied.sh FOLDER.
#   FOLDER/applied  is there once all of them are
#   FOLDER/failed   holds the line that says why not
# What this prints is what the service's condition `Configured` says; nothing while they are being applied.
waited=0
while [ ! -e "$1/applied" ]; do
    if [ -s "$1/failed" ]; then
        cat "$1/failed"
        exit 1
    fi
    [ "$waited" -lt 20 ] || exit 1
    sleep 1
    waited=$((waited + 1))
done
