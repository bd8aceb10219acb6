#!/bin/sh
# Runs after the files were removed. Data stays, even after a purge: journals are needed to undo applied changes, and
# the state of the fleet's server is the only copy of its history and its key.
set -e

case "${1:-}" in
remove | purge | 0) ;;
*) exit 0 ;;
esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
kept=
for dir in /etc/ipcguard /var/lib/ipcguard /var/lib/ipcguard-* /var/lib/private/ipcguard-*; do
  if [ -d "$dir" ] && [ ! -L "$dir" ] && [ -n "$(ls -A "$dir")" ]; then kept="$kept $dir"; fi
done
[ -z "$kept" ] || echo "ipcguard: kept:$kept (history, keys and journals: delete them when nobody needs them)" >&2
