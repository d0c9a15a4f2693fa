#!/bin/sh
# restore.sh DIR: puts the copy DIR, made by backup.sh, where Payments has its files. What is there is moved aside.
# Payments must be stopped. As root, or as the user that Payments runs as; in the folder, or with the environment, that
# Payments is run in.
set -eu
# shellcheck source=deploy/venv.sh
. "$(dirname "$0")/venv.sh"
# shellcheck source=deploy/files.sh
. "$(dirname "$0")/files.sh"

[ $# = 1 ] || fail 'usage: restore.sh DIR, a folder that backup.sh made'
copy=$(cd "$1" && pwd) || fail "$1: there is no such folder"
[ -n "$(find "$copy/audit" -name 'ledger-events.log*' 2>/dev/null)" ] || fail "$copy: no copy of Payments' files"
read_settings

# is_open FOLDER: whether a process has a file in it open, as everything of Payments that runs has the journal.
is_open() {
    [ -d "$1" ] || return 1
    real=$(cd "$1" && pwd -P)
    find /proc/[0-9]*/fd -mindepth 1 -lname "$real/*" 2>/dev/null | grep -q .
}
installed=$(cd /opt/payments/current/deploy 2>/dev/null && pwd -P) || installed=none
for unit in payments-api.socket payments-api.service payments-worker.service; do
    if [ ! -d /run/systemd/system ] || [ "$(cd "$here" && pwd -P)" != "$installed" ]; then break; fi
    state=$(systemctl is-active "$unit" || true)
    case $state in
        inactive | failed) ;;
        *) fail "Payments runs ($unit is $state): systemctl stop payments-api.socket payments-api payments-worker" ;;
    esac
done
for folder in "$data" "$(dirname "$journal")"; do
    is_open "$folder" && fail "a process has files in $folder open; stop the API and all workers first"
done
verify "$copy" || fail "$copy: the copy is not good; nothing was changed"

umask 077
aside=before-$(date -u +%Y%m%dT%H%M%SZ)
# move_aside PATH: under a name that says when.
move_aside() {
    [ -e "$1" ] || return 0
    [ ! -e "$1.$aside" ] || fail "$1.$aside is there already; try again"
    mv "$1" "$1.$aside"
    say "$1 is now $1.$aside"
}
owner=''
if [ -e "$data" ]; then owner=$(stat -c %U:%G "$data"); fi
move_aside "$data"
# What is kept elsewhere: a projection that is newer than the journal stops the start.
for path in "$journal" "$journal".[0-9]* "$registry" "$registry.good" "$(setting PAYMENTS_SESSIONS_PATH)" \
    "$(setting PAYMENTS_BALANCES_PATH)" "$(setting PAYMENTS_POWER_METER_PATH)"; do
    move_aside "$path"
done
mkdir -p "$data" "$(dirname "$journal")" "$(dirname "$registry")"
for file in "$copy"/audit/ledger-events.log*; do
    cp -p "$file" "$journal${file#"$copy/audit/ledger-events.log"}"
done
if [ -e "$copy/registry.json" ]; then cp -p "$copy/registry.json" "$registry"; fi
if [ "$(id -u)" = 0 ] && [ -n "$owner" ]; then
    chown -R "$owner" "$data"
    chown "$owner" "$(dirname "$journal")" "$journal" "$journal".[0-9]* "$registry" 2>/dev/null || true
fi
sync -f "$data"
say "Restored. Start the API, which makes the projections, and then the worker."
