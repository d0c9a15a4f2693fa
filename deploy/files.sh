# Sourced by backup.sh and restore.sh, behind venv.sh: which files Payments works on, and as which user.
# shellcheck shell=sh

# On a server this folder is part of a release; in a checkout .venv is beside it; else the command is on the PATH.
here=$(cd "$(dirname "$0")" && pwd)
if [ -x "$here/../venv/bin/payments" ]; then
    payments="$here/../venv/bin/payments"
    export PAYMENTS_ENV_FILE="${PAYMENTS_ENV_FILE:-/etc/payments/payments.env}"
elif [ -x "$here/../.venv/bin/payments" ]; then
    payments="$here/../.venv/bin/payments"
else
    payments=payments
fi

# setting NAME: its value, a path that begins with a slash.
setting() {
    value=$(printf '%s\n' "$settings" | sed -n "s/.*\"$1\": *\"\([^\"\\\\]*\)\".*/\1/p")
    case $value in
        '') fail "$1: cannot be read, or has a quote or a backslash in it" ;;
        /*) printf '%s\n' "$value" ;;
        *) printf '%s/%s\n' "$PWD" "$value" ;;
    esac
}

# shellcheck disable=SC2034
read_settings() {
    settings=$("$payments" config check --json 2>/dev/null) \
        || fail "the settings cannot be read; $payments config check says why"
    data=$(setting PAYMENTS_DATA_DIR)
    journal=$(setting PAYMENTS_LEDGER_JOURNAL_PATH)
    registry=$(setting PAYMENTS_REGISTRY_PATH)
}

# as_owner PATH COMMAND...: as the user that PATH belongs to. A lock file that another user made is of no use to it.
as_owner() {
    owner=$(stat -c %U "$1")
    shift
    if [ "$(id -u)" = 0 ] && [ "$owner" != root ]; then
        runuser -u "$owner" -- "$@"
    else
        "$@"
    fi
}

# verify COPY: what payments says of a copy, by its folder alone.
verify() {
    (
        cd "$1" || exit 1
        unset PAYMENTS_LEDGER_JOURNAL_PATH PAYMENTS_REGISTRY_PATH PAYMENTS_SESSIONS_PATH PAYMENTS_BALANCES_PATH \
            PAYMENTS_POWER_METER_PATH
        PAYMENTS_ENV_FILE=/dev/null PAYMENTS_DATA_DIR="$1" "$payments" ledger verify
    )
}
