#!/bin/sh
# The probes of a container that applies settings: applied.sh FOLDER [first].
#   FOLDER/applied  is there once all of them are
#   FOLDER/failed   holds the line that says why not
# As a start-up probe (first) it waits for the end of the first try. As a liveness probe that never kills it has
# the kubelet tell what it prints: that is what the service's condition `Configured` says.
[ ! -e "$1/applied" ] || exit 0
if [ "${2-}" = first ]; then
    [ -e "$1/failed" ]
elif [ -s "$1/failed" ]; then
    cat "$1/failed"
    exit 1
fi
