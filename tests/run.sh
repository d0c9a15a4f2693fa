#!/bin/sh
# Sets up everything that the tests need, Debian packages included (as root; else it says what to install), and runs all
# checks and tests. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

# Where it is set, each of the five hundred processes that the tests start would compile all of Payments for itself.
unset PYTHONDONTWRITEBYTECODE

# git: the list of tracked files, which tests ask for. curl: what quickstart tells people to paste. strace: makes system
# calls fail. mount: a small disk that fills up. openssl: certificates of hosts. hledger, beancount: read what is
# exported. wget: a health check in a container. wrk: the client of the bench. dbus, procps, python3, systemd: a machine
# to install on, in a container.
need_packages beancount curl dbus git hledger mount openssl procps python3 python3-venv strace systemd \
    systemd-container wget wrk
make_venv '[dev,edge]'
# promtool judges what /metrics serves, the alerts and the dashboard; nginx stands in front of gunicorn. Unpacked and not
# installed, for Debian's packages also start a server, the first one on the port of /power.
has() { PATH="$PATH:/usr/sbin:$PWD/.venv/bin" command -v "$1" >/dev/null; }
has promtool || unpack_program prometheus usr/bin/promtool
has nginx || unpack_program nginx usr/sbin/nginx

.venv/bin/ruff format --check --quiet .
.venv/bin/ruff check --quiet .
.venv/bin/mypy
# Two at a time, because many of them wait: for a time-out, for a process to start. A module's tests stay together.
exec .venv/bin/pytest --numprocesses 2 --dist loadfile "$@"
