#!/bin/sh
# backup.sh DIR: copies the journal and the registry into the new folder DIR and verifies the copy. Payments may run.
# As root, or as the user that Payments runs as; in the folder, or with the environment, that Payments is run in.
set -eu
# shellcheck source=deploy/venv.sh
. "$(dirname "$0")/venv.sh"
# shellcheck source=deploy/files.sh
. "$(dirname "$0")/files.sh"

[ $# = 1 ] || fail 'usage: backup.sh DIR, a folder that is not there yet'
case $1 in
    /*) copy=$1 ;;
    *) copy=$PWD/$1 ;;
esac
read_settings
folder=$(dirname "$journal")
name=$(basename "$journal")
[ -d "$folder" ] || fail "$folder: there is no journal to copy"
umask 077
mkdir "$copy" "$copy/audit"

links="$folder/copying-$$"
trap 'rm -rf "$links"' EXIT
trap 'exit 1' HUP INT TERM
# While both locks are held, no segment is sealed or compressed: these files belong together. Writers wait for it, some
# milliseconds.
as_owner "$folder" mkdir "$links"
(
    cd "$folder"
    as_owner . flock "$name.compress.lock" flock "$name.lock" \
        find . -maxdepth 1 \( -name "$name" -o -name "$name.[0-9]*" \) ! -name '*.new' -exec ln -t "$links" {} +
)
[ -n "$(ls "$links")" ] || fail "$journal: there is no journal to copy"
# At leisure: sealed segments do not change, and what the active file gains meanwhile may come along.
for file in "$links"/*; do
    cp -p "$file" "$copy/audit/ledger-events.log${file#"$links/$name"}"
done
# Behind the journal, so that everybody who is in that is in this.
if [ -e "$registry" ]; then cp -p "$registry" "$copy/registry.json"; fi
sync -f "$copy"
verify "$copy" || fail "$copy: the copy is not good; see above"
