#!/bin/sh
# Sets up Payments on this machine and runs it in the foreground, with data in ./data. Can be run again at any time.
# Ctrl-C or SIGTERM stops everything.
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

make_venv '[edge]'
.venv/bin/python deploy/quickstart.py prepare

api=''
worker=''
stop() {
    trap '' INT TERM
    for process in $api $worker; do
        kill -TERM "$process" 2>/dev/null || true
    done
    wait
}
trap 'stop; exit 0' INT TERM

.venv/bin/gunicorn --config deploy/gunicorn.conf.py wsgi:app &
api=$!
.venv/bin/python -m worker &
worker=$!
.venv/bin/python deploy/quickstart.py greet "$api" || {
    stop
    exit 1
}
# If one of them ends, stop the other.
while kill -0 "$api" 2>/dev/null && kill -0 "$worker" 2>/dev/null; do
    sleep 1 &
    wait $! || true
done
for process in $api $worker; do
    kill -0 "$process" 2>/dev/null || wait "$process" || say "payments: process $process ended with exit code $?; see above"
done
stop
exit 1
