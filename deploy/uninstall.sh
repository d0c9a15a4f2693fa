#!/bin/sh
# Removes what install.sh installed, but keeps settings and data. Does not ask for confirmation.
#
#   --purge-data   remove settings, data and the user as well
#   --edge         remove ps-gateway; a Payments on the same machine stays
#   --dry-run      print the commands only
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

dry=''
purge=''
edge=''
for argument in "$@"; do
    case $argument in
        --dry-run) dry=yes ;;
        --purge-data) purge=yes ;;
        --edge) edge=yes ;;
        -h | --help)
            sed -n '2,/^set -eu/s/^# \{0,1\}//p' deploy/uninstall.sh
            exit 0
            ;;
        *) fail "usage: uninstall.sh [--edge] [--dry-run] [--purge-data]" ;;
    esac
done
[ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail 'run this as root, or with --dry-run'

run() {
    if [ -n "$dry" ]; then printf '+ %s\n' "$*"; else "$@"; fi
}

# Leave the folder, since it may be removed.
cd /
if [ -n "$edge" ]; then
    user=ps-gateway
    units=ps-gateway.service
    paths=/opt/ps-gateway
else
    user=payments
    units='payments-worker.service payments-api.socket payments-api.service'
    paths='/opt/payments /run/payments /usr/local/bin/payments /etc/nginx/sites-enabled/payments.conf
        /etc/nginx/sites-available/payments.conf'
fi
env=/etc/payments/$user.env
data=/var/lib/$user
for unit in $units; do
    [ -e "/etc/systemd/system/$unit" ] || continue
    run systemctl disable --now --quiet "$unit"
    run rm -f "/etc/systemd/system/$unit"
done
[ ! -d /run/systemd/system ] || run systemctl daemon-reload
for path in $paths; do
    if [ -e "$path" ] || [ -h "$path" ]; then run rm -rf "$path"; fi
done
if [ -z "$purge" ]; then
    say "Kept $env, $data and the user $user; --purge-data removes them"
    exit 0
fi
for path in "$env" "$data"; do
    [ ! -e "$path" ] || run rm -rf "$path"
done
# Other files there belong to the other service or to the operator.
[ ! -d /etc/payments ] || run rmdir --ignore-fail-on-non-empty /etc/payments
if getent passwd "$user" >/dev/null; then run userdel "$user"; fi
