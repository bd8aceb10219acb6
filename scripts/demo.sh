#!/usr/bin/env bash
# demo.sh: start a real Samba server with its defaults on loopback, scan it, restrict it, scan it again. Everything it
# starts is gone when it ends. Where Samba cannot be had, the practice server inside ipcguard takes its place.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
ipcguard=$PWD/bin/ipcguard

practice() {
  echo "demo: no real Samba server here ($1): using the practice server"
  exec "$ipcguard" demo
}
[ "$(uname -s)" = Linux ] || practice "this is $(uname -s)"
[ "$(id -u)" = 0 ] || practice "starting one takes root"
for program in smbd smbpasswd smbcontrol; do
  command -v "$program" >/dev/null || practice "no program $program"
done

# In namespaces of its own, all that this script starts ends with it, whatever happens.
if [ -z "${IPCGUARD_DEMO_INSIDE:-}" ] && unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
  exec env IPCGUARD_DEMO_INSIDE=yes unshare --mount --pid --fork --mount-proc --kill-child "$0"
fi

dir=$(mktemp -d)
cleanup() {
  for process in /proc/[0-9]*; do # smbd's helpers outlive it; they hold its databases open
    if ls -l "$process/fd" 2>/dev/null | grep -qF "$dir/"; then
      kill -KILL "${process#/proc/}" 2>/dev/null || true
    fi
  done
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

address=127.46.255.1
answers() { (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; }
port=$((20000 + RANDOM % 20000))
while answers; do port=$((port + 1)); done

chmod 755 "$dir"
mkdir -p "$dir"/{lock,state,cache,private,run,ncalrpc,log,share}
configure() { # the settings that decide, one a line
  cat >"$dir/smb.conf" <<CONF
[global]
  netbios name = DEMO
  server role = standalone server
  interfaces = $address/8
  bind interfaces only = yes
  smb ports = $port
  disable netbios = yes
  load printers = no
  printing = bsd
  lock directory = $dir/lock
  state directory = $dir/state
  cache directory = $dir/cache
  private dir = $dir/private
  pid directory = $dir/run
  ncalrpc dir = $dir/ncalrpc
  log file = $dir/log/%m.log
$1
[finance]
  path = $dir/share
CONF
}

scan() {
  echo "\$ ipcguard scan $address:$port"
  local code=0
  "$ipcguard" scan "$address:$port" || code=$?
  echo "(exit status $code)"
  [ "$code" = "$1" ] || { echo "demo: expected exit status $1" >&2; exit 1; }
}

configure ""
for user in games mail news; do # accounts that every Debian has, so that there is something to list
  printf '%s\n' demo-Passw0rd demo-Passw0rd | smbpasswd -c "$dir/smb.conf" -s -a "$user" >/dev/null 2>&1 || true
done
echo "demo: $(smbd --version | head -n 1) with its default settings on $address:$port"
smbd --foreground --no-process-group --configfile "$dir/smb.conf" </dev/null >"$dir/log/smbd.out" 2>&1 &
smbd=$!
disown # its end is no news
until answers; do
  kill -0 "$smbd" 2>/dev/null || { echo "demo: smbd ended:" >&2; tail -n 5 "$dir"/log/*.out "$dir"/log/*.log >&2; exit 1; }
  sleep 0.05
done

echo
scan 3
echo
echo "demo: restricting it: 'restrict anonymous = 2' in smb.conf, and a reload"
configure "  restrict anonymous = 2"
smbcontrol --configfile "$dir/smb.conf" smbd reload-config
smbcontrol --configfile "$dir/smb.conf" smbd ping >/dev/null # answered after the reload
echo
scan 0
