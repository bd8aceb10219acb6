#!/usr/bin/env bash
# setup.sh [demo]: install the real servers and clients that the tests (or only the demo) need, with apt.
#
# It prints nothing and is fast if everything is there. It changes, starts and stops nothing that was installed;
# services of new packages are neither started nor enabled. If something is not available, one line says what is
# skipped; with CI=true that is a failure.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# package, one of its programs ("-": none that identifies it), and what is skipped without it
peers='
samba               smbd        tests against a real Samba server
smbclient           rpcclient   comparison with rpcclient and smbclient
iproute2            ip          tests in a network of their own
util-linux          nsenter     tests in namespaces
'
if [ "${1:-}" = demo ]; then
  for_demo=yes
else
  peers+='
samba-testsuite     smbtorture  smbtorture directly and through the gateway
nftables            nft         the gateway on the way between two networks
haproxy             haproxy     speed of the gateway beside that of HAProxy
keepalived          keepalived  two gateways, of which one takes over
procps              pgrep       two gateways, of which one takes over
samba-ad-dc         -           tests against a real domain controller
samba-ad-provision  -           tests against a real domain controller
winbind             winbindd    tests against a real domain controller
systemd             systemctl   tests of the guard as a service
krb5-user           kinit       tests of Kerberos
tshark              tshark      comparison with tshark
bzip2               bzip2       captures packed with bzip2
python3-impacket    -           tests against the impacket server and clients
libhivex-bin        hivexml     comparison with hivexml, hives to edit
reglookup           reglookup   comparison with reglookup
chntpw              reged       comparison with reged
libevtx-utils       evtxexport  comparison with evtxexport
postgresql          -           tests of the store on a real PostgreSQL
acl                 setfacl     access lists set and read by setfacl and setfattr
attr                setfattr    attributes and labels set and read by setfacl and setfattr
wine                wine        a registry that Wine wrote, and the Windows build reading it
wixl                wixl        the installer for Windows built and installed
msitools            msibuild    the installer for Windows built and installed
age                 age         secrets opened by the tool age
rsyslog             rsyslogd    notifications taken in by a real syslog daemon
rsyslog-gnutls      -           notifications taken in by a real syslog daemon over TLS
python3-aiosmtpd    -           notifications taken in by a real mail server
openssl             openssl     signatures and certificates checked by openssl
nodejs              node        PowerShell read by a parser of its grammar
chromium            chromium    the page in a real browser
npm                 npm         the accessibility check of the page
prometheus          prometheus  every expression of the dashboard evaluated by a real Prometheus
'
  if [ -n "${IPCGUARD_LONG:-}" ]; then # make test-long
    peers+='ansible             ansible-playbook  exported tasks read and run by Ansible
iptables            iptables    the rules of a firewall that exported tasks put
debootstrap         debootstrap  the packages installed, upgraded and removed in a Debian root
rpm                 rpm         the packages installed, upgraded and removed in a Debian root
skopeo              skopeo      the container image read by other tools
umoci               umoci       the container image read by other tools
mandoc              mandoc      the manual pages checked by mandoc
'
  fi
fi

say() { echo "setup: $*" >&2; }
have_apt() { [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The accessibility checker is an npm package. It has a licence of its own (MPL-2.0) and is only for tests: it is stored
# in the user's cache, not here.
axe=4.14.1
axe_sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
fetch_axe() {
  local dir=${XDG_CACHE_HOME:-$HOME/.cache}/ipcguard tmp done=
  [ ! -s "$dir/axe-core-$axe.min.js" ] || return 0
  command -v npm >/dev/null || return 1
  tmp=$(mktemp -d)
  if (cd "$tmp" && npm pack --silent "axe-core@$axe" && tar xzf axe-core-*.tgz &&
    echo "$axe_sum  package/axe.min.js" | sha256sum --check --status) >/dev/null 2>&1; then
    mkdir -p "$dir" && mv "$tmp/package/axe.min.js" "$dir/axe-core-$axe.min.js" && done=yes
  fi
  rm -rf "$tmp"
  [ -n "$done" ]
}

# missing_peers prints the lines of the table whose package is not installed.
missing_peers() {
  while read -r package program without; do
    [ -n "$package" ] || continue
    if [ "$program" != - ]; then
      command -v "$program" >/dev/null && continue
    elif ! have_apt; then
      continue # the tests will find out
    fi
    have_apt && installed "$package" && continue
    printf '%s %s %s\n' "$package" "$program" "$without"
  done <<<"$peers"
}

# finish prints what this system cannot run, whatever is installed, and exits.
finish() {
  local failed=$1
  if [ "${for_demo:-}" != yes ]; then
    if [ "$(uname -s)" != Linux ]; then
      say "skipped: tests against real servers and clients (they are started on Linux only)"
      failed=1
    elif [ "$(id -u)" != 0 ]; then
      say "skipped: tests against real Samba servers (starting one takes root)"
      failed=1
    elif ! unshare --mount --pid --net --fork mount -t tmpfs tmpfs /run 2>/dev/null; then
      say "skipped: tests against a domain controller and against many hosts (no namespaces may be made here)"
      failed=1
    fi
    fetch_axe || {
      say "skipped: the accessibility check of the page (npm could not fetch axe-core $axe)"
      failed=1
    }
    "$(dirname "$0")/fetch.sh" || failed=1
    [ -d "$(dirname "$0")/../../shared" ] || say "skipped: tests on recorded traffic, hives and logs (no ../shared beside this folder)"
  fi
  [ "${CI:-}" = true ] || failed=0
  exit "$failed"
}

missing=$(missing_peers)
[ -n "$missing" ] || finish 0

why=
if ! have_apt; then
  why="this is no system with apt"
elif [ "$(id -u)" != 0 ]; then
  why="installing it takes root"
else
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  rule=/usr/sbin/policy-rc.d
  cleanup() { rm -f "$log"; [ -z "${rule_is_ours:-}" ] || rm -f "$rule"; }
  trap cleanup EXIT
  units=$(ls /lib/systemd/system 2>/dev/null || true)
  if [ ! -e "$rule" ]; then # Debian's way to keep packages from starting their services
    rule_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$rule"
    chmod 755 "$rule"
  fi
  packages=$(cut -d' ' -f1 <<<"$missing")
  say "installing" $packages
  apt-get -qq update >"$log" 2>&1 || say "apt-get update: $(tail -n 1 "$log")"
  get() { apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" >"$log" 2>&1 </dev/null; }
  # All at once; if one is not available, try the others one by one.
  if ! get $packages; then
    for package in $packages; do
      [ -n "$(apt-cache show "$package" 2>/dev/null)" ] || continue # not a package of this release
      get "$package" || say "$package: $(grep -m1 '^E:' "$log" || tail -n 1 "$log")"
    done
  fi
  if [ -d /run/systemd/system ]; then
    for unit in smbd nmbd winbind samba-ad-dc rsyslog postgresql; do
      if ! grep -qx "$unit.service" <<<"$units" && [ -e "/lib/systemd/system/$unit.service" ]; then
        systemctl --quiet disable "$unit.service" 2>/dev/null || true
      fi
    done
  fi
  # A package that a release does not have under this name is part of another one there.
  missing=$(missing_peers | while read -r package rest; do
    [ -z "$(apt-cache show "$package" 2>/dev/null)" ] && [ "${rest%% *}" = - ] || echo "$package $rest"
  done)
  [ -n "$missing" ] || finish 0
  why="apt could not install it"
fi

while read -r package _ without; do
  say "skipped: $without ($package is missing, $why)"
done <<<"$missing"
finish 1
