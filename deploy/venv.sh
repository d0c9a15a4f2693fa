# Sourced by quickstart.sh, install.sh, uninstall.sh and tests/run.sh, in the top folder of the checkout.
#
# make_venv EXTRAS: creates or updates .venv, with Payments and the extras ("[edge]" or "[dev,edge]") installed.

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "payments: $*"
    exit 1
}

# need_packages NAME...: installs missing Debian packages if root, otherwise prints the command to run.
need_packages() {
    missing=''
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || fail "install these packages first: sudo apt-get install$missing"
    say "Installing$missing"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >&2 \
        || fail "apt-get could not install$missing"
}

# unpack_program PACKAGE PATH: copies the program at PATH of the Debian PACKAGE into .venv/bin. The package is only
# unpacked: that needs no root, and does not start a server that the package contains.
unpack_program() (
    folder=$(mktemp -d "$PWD/.venv/unpack.XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    say "Fetching $1"
    # Without this, apt warns root that its sandbox user cannot read the temporary folder.
    download() { (cd "$folder" && apt-get download -q -o APT::Sandbox::User=root "$1") >&2; }
    download "$1" || { [ "$(id -u)" = 0 ] && apt-get update -q >&2 && download "$1"; } \
        || fail "apt-get could not download $1; run: sudo apt-get update"
    dpkg-deb -x "$folder"/*.deb "$folder"
    [ -x "$folder/$2" ] || fail "$1 has no $2 here; install it"
    mv "$folder/$2" .venv/bin/
)

# find_python: prints a Python of at least 3.11 that can create virtual environments (on Debian: python3-venv).
find_python() {
    for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

make_venv() {
    # Includes the folder, since an editable install points to it and a checkout may be moved.
    wanted="$(cksum <setup.cfg) $PWD"
    installed=$(cat .venv/payments-installed 2>/dev/null) || installed=''
    # A .venv with the development tools has everything else, too.
    for enough in "$1 $wanted" "[dev,edge] $wanted"; do
        if [ "$installed" = "$enough" ] && .venv/bin/python -c 'import payments' 2>/dev/null; then
            return 0
        fi
    done
    python=$(find_python) || {
        need_packages python3 python3-venv
        python=$(find_python) || fail 'Python 3.11 or newer is required, but this system does not offer it'
    }
    say "Installing Payments into .venv"
    [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$1" \
        || fail 'pip could not install the dependencies; see above'
    printf '%s\n' "$1 $wanted" >.venv/payments-installed
}
