#!/bin/sh
# Runs before the files are removed. An upgrade stops nothing: services run until the new version is installed.
set -e

case "${1:-}" in
remove | 0) ;;
*) exit 0 ;;
esac

# This program rolls back a change that nobody confirms in time.
for guard in /etc/systemd/system/ipcguard-[0-9]*.service; do
  [ -e "$guard" ] || continue
  id=${guard##*/ipcguard-}
  id=${id%.service}
  echo "ipcguard: the change $id waits for its confirmation, and only this program takes it back." >&2
  echo "ipcguard: run 'ipcguard confirm $id' or 'ipcguard rollback $id', and remove the package then." >&2
  exit 1
done

[ -d /run/systemd/system ] || exit 0
systemctl --quiet disable --now ipcguard-serve.service ipcguard-gateway.service || true
for unit in $(systemctl list-units --all --plain --no-legend 'ipcguard-worker@*.service' 'ipcguard-observe@*.service' | cut -d' ' -f1); do
  systemctl --quiet disable --now "$unit" || true
done
