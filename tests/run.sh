#!/bin/sh
# Sets up what the tests need, and runs all checks and tests; other arguments go to pytest.
#
#   tests/run.sh         everything; needs Debian packages (installs them as root, else says which) and npm
#   tests/run.sh --fast  what needs .venv only: neither root, Debian packages, npm, processes nor a browser; within a minute
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

# Where it is set, each of the five hundred processes that the tests start would compile all of Payments for itself.
unset PYTHONDONTWRITEBYTECODE

make_venv '[dev,edge]'
.venv/bin/ruff format --check --quiet .
.venv/bin/ruff check --quiet .

# Three at a time on two cores, because many of them wait: for a time-out, for a sync. A module's tests stay together.
run_tests() {
    .venv/bin/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder "$@"
}
if [ "${1-}" = --fast ]; then
    shift
    run_tests -m 'not (processes or browser or machine or long)' "$@"
    exit
fi

# Epic's libraries come from npm; they need a Node.js of any make, if it is new enough.
has_node() { node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' && command -v npm; } >/dev/null 2>&1
node=''
has_node || node='nodejs npm'
# git: the list of tracked files, which tests ask for. curl: what quickstart tells people to paste. strace: makes system
# calls fail. mount: a small disk that fills up. openssl: certificates of hosts. hledger, beancount: read what is
# exported. wget: a health check in a container. wrk: the client of the bench. chromium: plays what is streamed, led by
# playwright, which needs libatomic1. dbus, procps, python3, systemd: a machine to install on, in a container.
need_packages beancount chromium curl dbus git hledger libatomic1 mount openssl procps python3 python3-venv strace \
    systemd systemd-container wget wrk $node
has_node || fail "Node.js 18 or newer is needed, with npm; 'node' is an older one here"
# promtool judges what /metrics serves, the alerts and the dashboard; nginx stands in front of gunicorn. Unpacked and not
# installed, for Debian's packages also start a server, the first one on the port of /power.
has() { PATH="$PATH:/usr/sbin:$PWD/.venv/bin" command -v "$1" >/dev/null; }
has promtool || unpack_program prometheus usr/bin/promtool
has nginx || unpack_program nginx usr/sbin/nginx

# install_modules FOLDER: what its lock file says, unless that is there already. No script of a package is run.
install_modules() (
    cd "$1"
    wanted=$(cksum <package-lock.json)
    [ "$(cat node_modules/payments-installed 2>/dev/null)" != "$wanted" ] || exit 0
    say "Installing $1/node_modules"
    npm ci --ignore-scripts --loglevel=error >&2 || fail 'npm could not install them; see above'
    printf '%s\n' "$wanted" >node_modules/payments-installed
)
install_modules tests/edge/pixelstreaming

# Beside the tests, as far as they leave it time.
nice -n 19 .venv/bin/mypy >.venv/mypy-said 2>&1 &
failed=0
run_tests "$@" || failed=$?
wait $! || {
    cat .venv/mypy-said >&2
    failed=1
}
exit $failed
