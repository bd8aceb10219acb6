#!/bin/sh
# Before the files go. An upgrade stops nothing: what runs goes on until the new version is there.
set -e

case "${1:-}" in
remove | 0) ;;
*) exit 0 ;;
esac

# A change that waits for its confirmation is taken back by this program, if nobody confirms it.
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
