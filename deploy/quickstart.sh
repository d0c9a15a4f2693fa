#!/bin/sh
# Sets Payments up on this machine and runs it in the foreground, on files in ./data. Run it again as often as you like.
# Ctrl-C or SIGTERM stops everything.
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

make_venv ''
.venv/bin/python deploy/quickstart.py prepare

api=''
stop() {
    trap '' INT TERM
    [ -z "$api" ] || kill -TERM "$api" 2>/dev/null || true
    wait
}
trap 'stop; exit 0' INT TERM

.venv/bin/gunicorn --config deploy/gunicorn.conf.py wsgi:app &
api=$!
.venv/bin/python deploy/quickstart.py greet "$api" || {
    stop
    exit 1
}
status=0
wait "$api" || status=$?
api=''
stop
exit "$status"
