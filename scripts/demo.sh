#!/usr/bin/env bash
# demo.sh: the whole loop on a real Samba server with its defaults on loopback: scan, audit, plan, apply with a dead-man
# guard, confirm, verify, roll back. Everything it starts has ended when it exits. Without Samba it uses the practice
# server inside ipcguard.
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

# In namespaces of its own, everything that this script starts ends with it.
if [ -z "${IPCGUARD_DEMO_INSIDE:-}" ] && unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
  exec env IPCGUARD_DEMO_INSIDE=yes unshare --mount --pid --fork --mount-proc --kill-child "$0"
fi

if [ -n "${IPCGUARD_DEMO_INSIDE:-}" ] && [ -d /run/systemd ]; then
  mount -t tmpfs tmpfs /run/systemd # the guard of the demo must not be a service of this machine
fi

dir=$(mktemp -d)
cleanup() {
  for process in /proc/[0-9]*; do # smbd's helpers outlive it; they have its databases open
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
configure() { # the relevant settings, one a line
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

# step prints and runs one command and expects one exit status: STATUS COMMAND…
step() {
  local want=$1 code=0
  shift
  echo
  echo "\$ ipcguard ${*//$dir\//}"
  "$ipcguard" "$@" 2>&1 | sed -u "s|$dir/||g" || code=${PIPESTATUS[0]}
  echo "(exit status $code)"
  [ "$code" = "$want" ] || { echo "demo: expected exit status $want" >&2; exit 1; }
}

configure ""
for user in games mail news; do # accounts that every Debian has, so that there is something to list
  printf '%s\n' demo-Passw0rd demo-Passw0rd | smbpasswd -c "$dir/smb.conf" -s -a "$user" >/dev/null 2>&1 || true
done
echo "demo: $(smbd --version | head -n 1) with its default settings on $address:$port"
smbd --foreground --no-process-group --configfile "$dir/smb.conf" </dev/null >"$dir/log/smbd.out" 2>&1 &
smbd=$!
disown # do not report its end
until answers; do
  kill -0 "$smbd" 2>/dev/null || { echo "demo: smbd ended:" >&2; tail -n 5 "$dir"/log/*.out "$dir"/log/*.log >&2; exit 1; }
  sleep 0.05
done

cp -p "$dir/smb.conf" "$dir/smb.conf.before"

step 3 scan "$address:$port"
echo
echo "demo: the same as files, for the plan"
step 3 scan "$address:$port" --format json -o "$dir/scan.json"
step 3 audit "$dir/smb.conf" --format json -o "$dir/audit.json"
step 0 plan --audit "$dir/audit.json" --scan "$dir/scan.json" --format json -o "$dir/plan.json"
state=(--state "$dir/journal")
step 0 apply "$dir/plan.json" --target "samba:$dir/smb.conf" --dry-run "${state[@]}"
step 0 apply "$dir/plan.json" --target "samba:$dir/smb.conf" --yes --confirm-within 2m "${state[@]}"
id=$(cd "$dir/journal/journal" && echo 2*)
step 0 confirm "$id" "${state[@]}"
step 0 verify "$address:$port" --plan "$dir/plan.json"
step 0 scan "$address:$port"
step 0 rollback "$id" "${state[@]}"
cmp "$dir/smb.conf" "$dir/smb.conf.before"
echo "demo: smb.conf is byte for byte as it was"
step 0 history "${state[@]}"
