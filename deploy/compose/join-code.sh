#!/bin/sh
# Asks the running scheduler for a join code and puts it where worker NUMBER of compose.yaml reads it.
set -eu
[ $# = 1 ] || { echo "usage: $0 NUMBER" >&2; exit 2; }
cd "$(dirname "$0")"
# The admin's token is read inside of the container, and stays there.
# shellcheck disable=SC2016
ask='exec outfield --quiet --server http://127.0.0.1:8000 --token "$(cat /var/lib/outfield/admin.token)" "$@"'
code=$(docker compose exec -T scheduler /bin/sh -c "$ask" ask token new "worker-$1" --role worker)
printf '%s\n' "$code" >"secrets/join-$1"
