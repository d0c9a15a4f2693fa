#!/bin/sh
# Installs Payments on this machine (Debian 12, Ubuntu; as root), upgrades it to the version of this checkout, or goes
# back to the version before. Run it again as often as you like.
#
#   install.sh [--dry-run]               install or upgrade
#   install.sh [--dry-run] --rollback    go back to the release that was in use before, and again to the other
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd "$(dirname "$0")/.."
. deploy/venv.sh

home=/opt/payments
config=/etc/payments
data=/var/lib/payments
socket=/run/payments/api.sock
dry=''
rollback=''
for argument in "$@"; do
    case $argument in
        --dry-run) dry=yes ;;
        --rollback) rollback=yes ;;
        *) fail "usage: install.sh [--dry-run] [--rollback]" ;;
    esac
done

# run COMMAND...: do it, or with --dry-run say it.
run() {
    if [ -n "$dry" ]; then printf '+ %s\n' "$*"; else "$@"; fi
}

# as_payments COMMAND...: as the service does it.
as_payments() {
    (cd / && umask 077 && PAYMENTS_ENV_FILE=$config/payments.env runuser -u payments -- "$@")
}

release() {
    readlink "$home/$1" 2>/dev/null | sed 's,.*/,,'
}

check_machine() {
    [ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail 'run this as root, or with --dry-run'
    [ -d /run/systemd/system ] || [ -n "$dry" ] || fail 'systemd does not run here; deploy/quickstart.sh does without'
    if python=$(find_python); then return 0; fi
    run need_packages python3 python3-venv
    python=$(find_python) || [ -n "$dry" ] || fail 'Python 3.11 or newer is needed; this system has none to install'
}

make_user() {
    getent passwd payments >/dev/null || run useradd --system --user-group --home-dir "$data" --no-create-home \
        --shell /usr/sbin/nologin payments
    [ -d "$data" ] || run install -d -m 0700 -o payments -g payments "$data"
}

# name_release: sets $name, the version, and with a part of $sum behind it where another tree has that version already.
name_release() {
    version=$(sed -n 's/^version = //p' setup.cfg)
    sum=$(find README.rst deploy payments worker wsgi.py setup.cfg setup.py .env.example -type f ! -path '*/__pycache__/*' \
        ! -name '*.pyc' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -c 1-12)
    name=$version
    if [ -e "$home/releases/$name/sum" ] && [ "$(cat "$home/releases/$name/sum")" != "$sum" ]; then
        name=$version-$sum
    fi
}

make_release() {
    new=$home/releases/$name
    # Written last: a release without it was left half made.
    if [ -e "$new/sum" ]; then
        say "Release $name is there"
        return 0
    fi
    say "Making release $name"
    run rm -rf "$new"
    run install -d -m 0755 "$home" "$home/releases" "$new"
    run cp -R README.rst deploy .env.example "$new/"
    run "$python" -m venv "$new/venv"
    # From a copy: pip leaves its traces where it builds.
    run mkdir "$new/source"
    run cp -R README.rst payments worker wsgi.py setup.cfg setup.py "$new/source/"
    run "$new/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --use-pep517 "$new/source" \
        || fail "pip could not install Payments; see above. Nothing has changed for what runs"
    run rm -rf "$new/source"
    run chmod -R u=rwX,go=rX "$new"
    if [ -z "$dry" ]; then
        # As it is served: through the user that the service is, who must be able to read Python itself too.
        as_payments "$new/venv/bin/python" -c 'import payments, worker' \
            || fail "user payments cannot use $python; install Debian's python3 and python3-venv"
        printf '%s\n' "$sum" >"$new/sum"
    fi
}

make_config() {
    [ -e "$config/payments.env" ] && return 0
    say "Making $config/payments.env, with tokens of its own"
    run install -d -m 0750 -o root -g payments "$config"
    if [ -n "$dry" ]; then
        printf '+ %s\n' "deploy/quickstart.py env $data >$config/payments.env, 0640 root:payments"
        return 0
    fi
    (
        umask 027
        "$new/venv/bin/python" deploy/quickstart.py env "$data" >"$config/payments.env.new"
    )
    chown root:payments "$config/payments.env.new"
    chmod 0640 "$config/payments.env.new"
    mv -T "$config/payments.env.new" "$config/payments.env"
}

# put SOURCE TARGET MODE: sets $changed where TARGET was not like that.
put() {
    cmp -s "$1" "$2" && return 0
    changed=yes
    run install -m "$3" "$1" "$2"
}

# is_as_before: whether the master may go on: all that it has imported, and its unit, are in both releases the same.
is_as_before() {
    [ -z "$changed" ] || return 1
    for each in "$1" "$2"; do
        [ -x "$home/releases/$each/venv/bin/python" ] || return 1
    done
    cmp -s "$home/releases/$1/deploy/systemd/alive.py" "$home/releases/$2/deploy/systemd/alive.py" || return 1
    [ "$(libraries "$1")" = "$(libraries "$2")" ]
}

libraries() {
    "$home/releases/$1/venv/bin/python" -VV
    "$home/releases/$1/venv/bin/python" -m pip --disable-pip-version-check list --format freeze --exclude payments
}

# workers: gunicorn's workers now.
workers() {
    main=$(systemctl show -P MainPID payments-api)
    tr ' ' '\n' <"/proc/$main/task/$main/children" | while read -r pid; do
        tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q ' gunicorn ' && printf '%s\n' "$pid"
    done || true
}

# reload_api: returns when no worker is left that was there before.
reload_api() {
    before=$(workers)
    systemctl reload payments-api || return 1
    for _ in $(seq 300); do
        left=''
        now=$(workers)
        for pid in $before; do
            if printf '%s\n' "$now" | grep -qx "$pid"; then left=yes; fi
        done
        [ -n "$left" ] || [ -z "$now" ] || return 0
        sleep 0.1
    done
    say 'Some workers of the release before are still busy; they end with the requests that they have'
}

is_ready() {
    "$home/current/venv/bin/python" - "$home/current/deploy/systemd" "$socket" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from alive import Api
sys.exit(not Api([sys.argv[2]]).answers("/readyz", 15))
PYTHON
}

# use RELEASE: switch to it and have it run.
use() {
    old=$(release current)
    if [ -z "$dry" ]; then
        as_payments "$home/releases/$1/venv/bin/python" -m payments.web.preflight >/dev/null \
            || fail "release $1 cannot start here; see above. Nothing has changed for what runs"
    fi
    changed=''
    from=$home/releases/$1/deploy
    [ -d "$from" ] || from=deploy
    for unit in payments-api.socket payments-api.service payments-worker.service; do
        put "$from/systemd/$unit" "/etc/systemd/system/$unit" 0644
    done
    put "$from/systemd/payments" /usr/local/bin/payments 0755
    if [ -d /etc/nginx/sites-available ] && [ -e "$from/nginx/payments.conf" ] \
        && [ ! -e /etc/nginx/sites-available/payments.conf ]; then
        run install -m 0644 "$from/nginx/payments.conf" /etc/nginx/sites-available/payments.conf
    fi
    if [ "$old" != "$1" ]; then
        [ -z "$old" ] || point previous "$old"
        point current "$1"
    fi
    [ -z "$changed" ] || run systemctl daemon-reload
    # An upgrade and a rollback are starts too, and must not use up how many there may be.
    [ -n "$dry" ] || systemctl reset-failed payments-api.socket payments-api payments-worker 2>/dev/null || true
    if [ -z "$dry" ] && ! systemctl is-active --quiet payments-api; then
        run systemctl enable --quiet payments-api.socket payments-api.service payments-worker.service
        run systemctl start payments-api.socket payments-api.service || give_up "$1"
        run systemctl restart payments-worker.service || give_up "$1"
    elif [ -n "$dry" ] && [ -z "$old" ]; then
        run systemctl enable --now payments-api.socket payments-api.service payments-worker.service
    elif [ "$old" != "$1" ] || [ -n "$changed" ]; then
        # A restart refuses nobody either, for systemd has the socket open; but who calls meanwhile waits for the start.
        if is_as_before "$old" "$1"; then run reload_api; else run systemctl restart payments-api; fi || give_up "$1"
        run systemctl restart payments-worker || give_up "$1"
    fi
    [ -n "$dry" ] || is_ready || give_up "$1"
}

# point LINK RELEASE: at once, there is no moment without a link.
point() {
    run ln -sfn "releases/$2" "$home/$1.new"
    run mv -T "$home/$1.new" "$home/$1"
}

give_up() {
    say "payments: release $1 does not run; journalctl -u payments-api -u payments-worker says why"
    [ -z "$old" ] || [ "$old" = "$1" ] || say "Back to $old with: sh $home/current/deploy/install.sh --rollback"
    exit 1
}

# Two are kept: the one in use, and the one to go back to.
remove_old() {
    for each in "$home"/releases/*; do
        case ${each##*/} in
            "$(release current)" | "$(release previous)" | '*') ;;
            *) run rm -rf "$each" ;;
        esac
    done
}

check_machine
if [ -n "$rollback" ]; then
    name=$(release previous)
    [ -e "$home/releases/${name:-none}/sum" ] || fail 'there is no release to go back to'
    use "$name"
    say "Payments $name runs again. It has the settings and the data as they are now"
    exit 0
fi
make_user
name_release
make_release
make_config
use "$name"
[ -n "$dry" ] || remove_old
[ -z "$dry" ] || exit 0
cat <<NEXT

Payments $name runs.

  settings    $config/payments.env (tokens are in it), then: systemctl reload payments-api payments-worker
              Nothing is credited before PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE or the power meter is set.
  data        $data
  log         journalctl -u payments-api -u payments-worker
  command     payments orchestrators add ..., payments ledger balances (as root)
  listens on  $socket, for nginx:
              ln -s ../sites-available/payments.conf /etc/nginx/sites-enabled/ (mend its names and certificate first)
  backup      sh $home/current/deploy/backup.sh DIR
  go back     sh $home/current/deploy/install.sh --rollback
NEXT
