#!/bin/sh
# Runs after an installation or an upgrade. It starts and enables only what was started and enabled before.
set -e

# dpkg passes "configure" and the previous version; rpm passes the number of installed versions.
case "${1:-}" in
configure) [ -n "${2:-}" ] && upgrade=yes || upgrade= ;;
1) upgrade= ;;
[2-9]*) upgrade=yes ;;
*) exit 0 ;; # an upgrade that dpkg reverts
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
# Restart running services with the new version. The gateway passes its sockets on: its sessions continue. systemd
# reports a service that fails to restart; that does not revert the upgrade.
if systemctl --quiet is-active ipcguard-gateway.service; then
  systemctl kill --signal=USR2 --kill-whom=main ipcguard-gateway.service || true
fi
systemctl try-restart ipcguard-serve.service 'ipcguard-worker@*.service' 'ipcguard-observe@*.service' || true
