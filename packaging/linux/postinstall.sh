#!/bin/sh
# After the files are there, for the first time or as an upgrade. Nothing is started or enabled that was not.
set -e

# dpkg says "configure" and the version before it; rpm counts the versions there will be.
case "${1:-}" in
configure) [ -n "${2:-}" ] && upgrade=yes || upgrade= ;;
1) upgrade= ;;
[2-9]*) upgrade=yes ;;
*) exit 0 ;; # an upgrade that dpkg takes back
esac

if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers ipcguard.conf
elif ! getent passwd ipcguard >/dev/null; then
  getent group ipcguard >/dev/null || groupadd --system ipcguard
  useradd --system --gid ipcguard --home-dir /var/lib/ipcguard-serve --no-create-home --shell /usr/sbin/nologin \
    --comment "ipcguard fleet server" ipcguard
fi

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
[ -n "$upgrade" ] || exit 0
# The new version takes over what runs. The gateway hands its sockets over: its sessions go on. What fails to start again
# is told by systemd, and does not undo the upgrade.
if systemctl --quiet is-active ipcguard-gateway.service; then
  systemctl kill --signal=USR2 --kill-whom=main ipcguard-gateway.service || true
fi
systemctl try-restart ipcguard-serve.service 'ipcguard-worker@*.service' 'ipcguard-observe@*.service' || true
