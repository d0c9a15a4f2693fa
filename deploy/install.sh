#!/bin/sh
# Installs Payments on this machine (Debian or Ubuntu; as root), upgrades it to the version of this checkout, or rolls
# back to the previous version. Can be run again at any time.
#
#   install.sh [--dry-run]               install or upgrade
#   install.sh [--dry-run] --rollback    switch to the previous release (run it again to switch back)
#   install.sh --edge ...                the same for an edge: ps-gateway, independent of a Payments on the same machine
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd "$(dirname "$0")/.."
. deploy/venv.sh

config=/etc/payments
socket=/run/payments/api.sock
dry=''
rollback=''
edge=''
for argument in "$@"; do
    case $argument in
        --dry-run) dry=yes ;;
        --rollback) rollback=yes ;;
        --edge) edge=yes ;;
        -h | --help)
            sed -n '2,/^set -eu/s/^# \{0,1\}//p' deploy/install.sh
            exit 0
            ;;
        *) fail "usage: install.sh [--edge] [--dry-run] [--rollback]" ;;
    esac
done
if [ -n "$edge" ]; then
    user=ps-gateway
    module=payments.edge.gateway.__main__
    units=ps-gateway.service
    services=ps-gateway
else
    user=payments
    module='payments, worker'
    units='payments-api.socket payments-api.service payments-worker.service'
    services='payments-api payments-worker'
fi
home=/opt/$user
data=/var/lib/$user
env=$config/$user.env
rollback_by="sh $home/current/deploy/install.sh${edge:+ --edge} --rollback"
logs="journalctl$(printf ' -u %s' $services)"

# run COMMAND...: runs it, or prints it with --dry-run.
run() {
    if [ -n "$dry" ]; then printf '+ %s\n' "$*"; else "$@"; fi
}

# as_user COMMAND...: runs it as the service's user, with its settings.
as_user() {
    (cd / && umask 077 && PAYMENTS_ENV_FILE=$env runuser -u "$user" -- "$@")
}

release() {
    readlink "$home/$1" 2>/dev/null | sed 's,.*/,,'
}

check_machine() {
    [ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail 'run this as root, or with --dry-run'
    [ -d /run/systemd/system ] || [ -n "$dry" ] || fail 'systemd is not running; use deploy/quickstart.sh, which does not need it'
    if python=$(find_python); then return 0; fi
    run need_packages python3 python3-venv
    python=$(find_python) || [ -n "$dry" ] || fail 'Python 3.11 or newer is required, but this system does not offer it'
}

make_user() {
    getent passwd "$user" >/dev/null || run useradd --system --user-group --home-dir "$data" --no-create-home \
        --shell /usr/sbin/nologin "$user"
    [ -d "$data" ] || run install -d -m 0700 -o "$user" -g "$user" "$data"
}

# name_release: sets $name to the version; appends a part of $sum if a different release has that version.
name_release() {
    version=$(sed -n 's/^version = //p' setup.cfg)
    sum=$(find README.rst deploy payments worker wsgi.py setup.cfg setup.py .env.example -type f ! -path '*/__pycache__/*' \
        ! -name '*.pyc' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -c 1-12)
    name=$version
    if [ -e "$home/releases/$name/sum" ] && [ "$(cat "$home/releases/$name/sum")" != "$sum" ]; then
        name=$version-$sum
    fi
}

install_with_pip() {
    run "$new/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

make_release() {
    new=$home/releases/$name
    # Written last: a release without it is incomplete.
    if [ -e "$new/sum" ]; then
        say "Release $name exists already"
        return 0
    fi
    say "Creating release $name"
    run rm -rf "$new"
    run install -d -m 0755 "$home" "$home/releases" "$new"
    run cp -R README.rst deploy .env.example "$new/"
    run "$python" -m venv "$new/venv"
    # Built from a copy, since pip leaves files in the source folder.
    run mkdir "$new/source"
    run cp -R README.rst payments worker wsgi.py setup.cfg setup.py "$new/source/"
    install_with_pip --only-binary :all: --require-hashes --requirement deploy/requirements.txt \
        && install_with_pip --no-deps --no-build-isolation --use-pep517 "$new/source" \
        || fail "pip could not install Payments; see above. The running services are unchanged"
    run rm -rf "$new/source"
    run chmod -R u=rwX,go=rX "$new"
    if [ -z "$dry" ]; then
        # Try it as the service's user, who must be able to read Python itself, too.
        as_user "$new/venv/bin/python" -c "import $module" \
            || fail "user $user cannot use $python; install Debian's python3 and python3-venv"
        printf '%s\n' "$sum" >"$new/sum"
    fi
}

make_config() {
    [ -e "$env" ] && return 0
    # Payments and an edge may share the folder, so anyone may enter it, but not read its files.
    run install -d -m 0755 "$config"
    if [ -n "$edge" ]; then
        run install -m 0640 -o root -g "$user" deploy/ps-gateway.env.example "$env"
        return 0
    fi
    say "Creating $env with fresh tokens"
    if [ -n "$dry" ]; then
        printf '+ %s\n' "deploy/quickstart.py env $data >$env, 0640 root:payments"
        return 0
    fi
    (
        umask 027
        "$new/venv/bin/python" deploy/quickstart.py env "$data" >"$env.new"
    )
    chown root:payments "$env.new"
    chmod 0640 "$env.new"
    mv -T "$env.new" "$env"
}

# put SOURCE TARGET MODE: copies SOURCE if TARGET differs, and sets $changed.
put() {
    cmp -s "$1" "$2" && return 0
    changed=yes
    run install -m "$3" "$1" "$2"
}

# is_as_before OLD NEW: whether gunicorn's master may keep running, since its unit and all it has imported are the same.
is_as_before() {
    [ -z "$changed" ] || return 1
    for each in "$1" "$2"; do
        [ -x "$home/releases/$each/venv/bin/python" ] || return 1
    done
    [ "$(companion "$1")" = "$(companion "$2")" ] && [ "$(libraries "$1")" = "$(libraries "$2")" ]
}

# companion RELEASE: prints the code that runs beside the master and survives a reload.
companion() (
    cd "$home/releases/$1"
    cat deploy/systemd/alive.py venv/lib/python*/site-packages/payments/notify.py \
        venv/lib/python*/site-packages/payments/probe.py 2>/dev/null
)

libraries() {
    "$home/releases/$1/venv/bin/python" -VV
    "$home/releases/$1/venv/bin/python" -m pip --disable-pip-version-check list --format freeze --exclude pixel-streaming-payments
}

# workers: prints the pids of gunicorn's workers.
workers() {
    main=$(systemctl show -P MainPID payments-api)
    tr ' ' '\n' <"/proc/$main/task/$main/children" | while read -r pid; do
        tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q ' gunicorn ' && printf '%s\n' "$pid"
    done || true
}

# reload_api: reloads, and returns when the old workers have ended.
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
    say 'Some workers of the previous release are still busy; they end after their current requests'
}

is_ready() {
    "$home/current/venv/bin/python" -I - "unix:$socket" <<'PYTHON'
import sys
from payments.probe import trouble
sys.exit(trouble(sys.argv[1], "/readyz", 15))
PYTHON
}

# put_in_place RELEASE: installs its units and links it as current; sets $changed if a unit changed.
put_in_place() {
    changed=''
    from=$home/releases/$1/deploy
    [ -d "$from" ] || from=deploy
    for unit in $units; do
        put "$from/systemd/$unit" "/etc/systemd/system/$unit" 0644
    done
    if [ -z "$edge" ]; then
        put "$from/systemd/payments" /usr/local/bin/payments 0755
        if [ -d /etc/nginx/sites-available ] && [ -e "$from/nginx/payments.conf" ] \
            && [ ! -e /etc/nginx/sites-available/payments.conf ]; then
            run install -m 0644 "$from/nginx/payments.conf" /etc/nginx/sites-available/payments.conf
        fi
    fi
    if [ "$old" != "$1" ]; then
        [ -z "$old" ] || point previous "$old"
        point current "$1"
    fi
    [ -z "$changed" ] || run systemctl daemon-reload
    # Upgrades and rollbacks must not count towards systemd's limit of starts.
    [ -n "$dry" ] || systemctl reset-failed $units 2>/dev/null || true
}

# use RELEASE: switches to it and starts it.
use() {
    old=$(release current)
    if [ -n "$edge" ]; then
        use_edge "$1"
        return 0
    fi
    if [ -z "$dry" ]; then
        as_user "$home/releases/$1/venv/bin/python" -m payments.web.preflight >/dev/null \
            || fail "release $1 cannot start here; see above. The running services are unchanged"
    fi
    put_in_place "$1"
    if [ -z "$dry" ] && ! systemctl is-active --quiet payments-api; then
        run systemctl enable --quiet payments-api.socket payments-api.service payments-worker.service
        run systemctl start payments-api.socket payments-api.service || give_up "$1"
        run systemctl restart payments-worker.service || give_up "$1"
    elif [ -n "$dry" ] && [ -z "$old" ]; then
        run systemctl enable --now payments-api.socket payments-api.service payments-worker.service
    elif [ "$old" != "$1" ] || [ -n "$changed" ]; then
        # A restart refuses no connection either, since systemd holds the socket, but clients wait for the start.
        if is_as_before "$old" "$1"; then run reload_api; else run systemctl restart payments-api; fi || give_up "$1"
        run systemctl restart payments-worker || give_up "$1"
    fi
    [ -n "$dry" ] || is_ready || give_up "$1"
}

# use_edge RELEASE: the same for an edge. A restart disconnects its viewers; they reconnect.
use_edge() {
    if [ -z "$dry" ] && ! as_user "$home/releases/$1/venv/bin/ps-gateway" --check; then
        ! systemctl is-active --quiet ps-gateway \
            || fail "release $1 cannot start here; see above. The running services are unchanged"
        put_in_place "$1"
        say "Not started yet. Fix the settings named above in $env, then run: systemctl enable --now ps-gateway"
        return 0
    fi
    put_in_place "$1"
    if [ -n "$dry" ] || [ "$old" != "$1" ] || [ -n "$changed" ] || ! systemctl is-active --quiet ps-gateway; then
        run systemctl enable --quiet ps-gateway.service
        run systemctl restart ps-gateway.service || give_up "$1"
    fi
}

# point LINK RELEASE: replaces the link atomically.
point() {
    run ln -sfn "releases/$2" "$home/$1.new"
    run mv -T "$home/$1.new" "$home/$1"
}

give_up() {
    say "payments: release $1 does not run; for the reason see: $logs"
    [ -z "$old" ] || [ "$old" = "$1" ] || say "To go back to $old, run: $rollback_by"
    exit 1
}

# Keeps the current release and the previous one.
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
    [ -e "$home/releases/${name:-none}/sum" ] || fail 'there is no previous release'
    use "$name"
    say "Release $name is running again, with the current settings and data"
    exit 0
fi
make_user
name_release
make_release
make_config
use "$name"
[ -n "$dry" ] || remove_old
[ -z "$dry" ] || exit 0
if [ -n "$edge" ]; then
    cat <<NEXT

ps-gateway $name is installed.

  settings    $env (contains a token); after a change: systemctl restart ps-gateway
              If only the routes changed, systemctl reload ps-gateway is enough and disconnects no viewer.
  data        $data, the spool: events not yet delivered to Payments
  log         $logs
  go back     $rollback_by
NEXT
    exit 0
fi
cat <<NEXT

Payments $name is running.

  settings    $env (contains tokens); after a change: systemctl reload payments-api payments-worker
              Nothing is credited until PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE or the power meter is set.
  data        $data
  log         $logs
  command     payments orchestrators add ..., payments ledger balances (as root)
  listens on  $socket, for nginx:
              ln -s ../sites-available/payments.conf /etc/nginx/sites-enabled/ (fix its names and certificate first)
  backup      payments backup DIR; to restore: payments restore DIR (as root)
  go back     $rollback_by
NEXT
