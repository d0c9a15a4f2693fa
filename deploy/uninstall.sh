#!/bin/sh
# Removes what install.sh has installed, but neither settings nor data; with --purge-data those too, and the user.
# Asks nothing. --dry-run: says what it would do.
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

dry=''
purge=''
for argument in "$@"; do
    case $argument in
        --dry-run) dry=yes ;;
        --purge-data) purge=yes ;;
        *) fail "usage: uninstall.sh [--dry-run] [--purge-data]" ;;
    esac
done
[ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail 'run this as root, or with --dry-run'

run() {
    if [ -n "$dry" ]; then printf '+ %s\n' "$*"; else "$@"; fi
}

# Nothing of this may depend on the folder that it removes.
cd /
units='payments-worker.service payments-api.socket payments-api.service'
for unit in $units; do
    [ -e "/etc/systemd/system/$unit" ] || continue
    run systemctl disable --now --quiet "$unit"
    run rm -f "/etc/systemd/system/$unit"
done
[ ! -d /run/systemd/system ] || run systemctl daemon-reload
for path in /opt/payments /run/payments /usr/local/bin/payments /etc/nginx/sites-enabled/payments.conf \
    /etc/nginx/sites-available/payments.conf; do
    if [ -e "$path" ] || [ -h "$path" ]; then run rm -rf "$path"; fi
done
if [ -z "$purge" ]; then
    say 'Kept: /etc/payments, /var/lib/payments and the user payments; --purge-data removes them'
    exit 0
fi
for path in /etc/payments /var/lib/payments; do
    [ ! -e "$path" ] || run rm -rf "$path"
done
if getent passwd payments >/dev/null; then run userdel payments; fi
