#!/bin/sh
# Sets up everything that the tests need, Debian packages included (as root; else it says what to install), and runs all
# checks and tests. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

# promtool judges what /metrics serves, the alerts and the dashboard. Unpacked and not installed, for Debian's package
# also starts a server, on the port of /power.
need_promtool() (
    if [ -x .venv/bin/promtool ] || command -v promtool >/dev/null; then
        return 0
    fi
    say "Fetching promtool"
    folder=$(mktemp -d .venv/promtool.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    # Root would only be told that its temporary folders are not open to apt's own user.
    download() { (cd "$folder" && apt-get download -q -o APT::Sandbox::User=root prometheus) >&2; }
    download || { [ "$(id -u)" = 0 ] && apt-get update -q >&2 && download; } \
        || fail 'apt-get could not download prometheus, for its promtool; run: sudo apt-get update'
    dpkg-deb -x "$folder"/prometheus_*.deb "$folder"
    mv "$folder/usr/bin/promtool" .venv/bin/
)

# git: the list of tracked files, which tests ask for. curl: what quickstart tells people to paste. strace: makes system
# calls fail. mount: a small disk that fills up. openssl: certificates of hosts. hledger, beancount: read what is
# exported. wrk: the client of the bench.
need_packages beancount curl git hledger mount openssl strace wrk
make_venv '[dev]'
need_promtool

.venv/bin/ruff format --check --quiet .
.venv/bin/ruff check --quiet .
.venv/bin/mypy
# Two at a time, because many of them wait: for a time-out, for a process to start. A module's tests stay together.
exec .venv/bin/pytest --numprocesses 2 --dist loadfile "$@"
