#!/usr/bin/env bash
# measure.sh DIR [RELEASE…]: scan every available release in every configuration of measure/configurations, and write
# the results to DIR/results for `go run ./scripts/measure`. RELEASE is a suite of Debian (its Samba, unpacked once into a
# folder and run in a chroot), "here" (this machine's Samba) or ksmbd-SUITE (that suite's kernel in a virtual machine
# without KVM, which takes 7-60 s to start). ONLY=REGEX selects configurations. IPCGUARD names the binary. It needs root
# and apt; for ksmbd qemu-system-x86, busybox-static, cpio, kmod and xz-utils. A suite takes 140 MB and half a minute, a
# configuration 5-20 s. Status 69 tells that the packages cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$1; shift
[ $# -gt 0 ] || set -- bullseye here trixie sid ksmbd-trixie ksmbd-sid
mkdir -p "$work/results"; work=$(cd "$work" && pwd)
only=${ONLY:-.}
ipcguard=${IPCGUARD:-bin/ipcguard}
address=127.77.0.1 port=17700

say() { echo "measure: $*" >&2; }

# of SUITE PROGRAM…: apt-get or apt-cache for the packages of that suite, as if nothing were installed.
of() {
  local d=$work/$1.apt suite=$1 program=$2; shift 2
  if [ ! -d "$d" ]; then
    local mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | awk 'NR==1')}
    [ -n "$mirror" ] || { say "no mirror of Debian among this machine's sources: set MIRROR"; exit 69; }
    mkdir -p "$d"/{lists,archives}/partial; : > "$d/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$d/sources.list"
    of "$suite" apt-get -o Acquire::Check-Valid-Until=false update || { rm -rf "$d"; exit 69; }
  fi
  "$program" -qq -o Dir::Etc::sourcelist="$d/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::lists="$d/lists" -o Dir::State::status="$d/status" -o Dir::Cache::archives="$d/archives" -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

# root_of SUITE: its Samba in $work/SUITE. The packages are unpacked and not installed: nothing of theirs runs but Samba,
# which needs neither Python nor Perl.
root_of() {
  local root=$work/$1 new=$work/$1.new p
  [ ! -x "$root/usr/sbin/smbd" ] || return 0
  of "$1" apt-get -y --no-install-recommends --download-only install samba samba-common-bin >/dev/null || exit 69
  rm -rf "$new"; mkdir -p "$new"/{proc,dev,tmp,etc,run/samba,var/lib/samba} "$new"/usr/{bin,sbin,lib,lib64}
  for p in bin sbin lib lib64; do ln -s "usr/$p" "$new/$p"; done
  for p in "$work/$1.apt"/archives/*.deb; do
    case ${p##*/} in python3* | perl*) continue ;; esac
    dpkg-deb --fsys-tarfile "$p" | tar -x --keep-directory-symlink -C "$new" --exclude './usr/share/doc/*' --exclude './usr/share/man/*'
  done
  printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nalice:x:1000:1000::/:/bin/false\n' > "$new/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\nalice:x:1000:\n' > "$new/etc/group"
  chmod 1777 "$new/tmp"; mknod -m 666 "$new/dev/urandom" c 1 9; mknod -m 666 "$new/dev/null" c 1 3
  rm -rf "$work/$1.apt/archives"/*.deb "$root"; mv "$new" "$root"
}

kernel_of() { # SUITE: DIR/ksmbd-SUITE/{vmlinuz,initrd}
  local d=$work/ksmbd-$1
  [ ! -f "$d/initrd" ] || return 0
  rm -rf "$d"; mkdir -p "$d"/{k,u,r,deb}
  local image parts p
  image=$(of "$1" apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/{print $2; exit}')
  parts=$(of "$1" apt-cache depends "$image" | awk '/Depends: linux-(binary|modules)/{printf "%s ", $2}')
  (cd "$d/deb" && of "$1" apt-get download "$image" $parts ksmbd-tools libglib2.0-0t64 libnl-3-200 libnl-genl-3-200 libpcre2-8-0 libatomic1 libc6)
  for p in "$d"/deb/*.deb; do
    case $p in */linux-*) dpkg-deb -x "$p" "$d/k" ;; *) dpkg-deb -x "$p" "$d/u" ;; esac
    case $p in */ksmbd-tools_*) p=${p##*/}; p=${p#*_}; echo "${p%%-*}" > "$d/tools" ;; esac
  done
  local modules version r=$d/r
  modules=$(echo "$d"/k/usr/lib/modules/*); version=${modules##*/}
  echo "$version" > "$d/version"
  cp "$modules/vmlinuz" "$d/vmlinuz" 2>/dev/null || cp "$d"/k/boot/vmlinuz-* "$d/vmlinuz"
  mkdir -p "$r"/{bin,sbin,etc/ksmbd,proc,sys,dev,run,tmp,share,pub,lib64,usr/sbin,usr/lib/x86_64-linux-gnu,"usr/lib/modules/$version"}
  ln -s usr/lib "$r/lib"; ln -sf "$d/k/usr/lib" "$d/k/lib" 2>/dev/null || true
  depmod -b "$d/k/usr" "$version" 2>/dev/null || depmod -b "$d/k" "$version"
  for m in virtio_net virtio_pci ksmbd nls_utf8 ecb hmac md5 aes_generic aesni_intel cmac sha256_generic sha512_generic ccm gcm ctr ghash_generic crc32_generic crc32c_generic; do
    modprobe -d "$d/k" -S "$version" --show-depends $m 2>/dev/null | awk '$1=="insmod"{print $2}' || true
  done | sort -u | while read -r f; do
    t=$r/usr/lib/modules/$version/${f##*/modules/$version/}; t=${t%.xz}; mkdir -p "$(dirname "$t")"; xz -dc "$f" > "$t"
  done
  cp "$modules"/modules.{order,builtin,builtin.modinfo} "$r/usr/lib/modules/$version/" 2>/dev/null || true
  depmod -b "$r" "$version"
  cp /bin/busybox "$r/bin/busybox"; cp "$d/u/usr/libexec/ksmbd.tools" "$r/usr/sbin/"
  for n in mountd adduser control; do ln -s ksmbd.tools "$r/usr/sbin/ksmbd.$n"; done
  find "$d/u" -name 'lib*.so*' -exec cp -a {} "$r/usr/lib/x86_64-linux-gnu/" \;
  for l in libc.so.6 libm.so.6; do cp -L "$d/u/usr/lib/x86_64-linux-gnu/$l" "$r/usr/lib/x86_64-linux-gnu/"; done
  cp -L "$d/u/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$r/lib64/"
  printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nalice:x:1000:1000::/:/bin/false\n' > "$r/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\nalice:x:1000:\n' > "$r/etc/group"
  cat > "$r/init" <<'INIT'
#!/bin/busybox sh
export PATH=/usr/sbin:/sbin:/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /run; mount -t tmpfs tmp /share; mount -t tmpfs tmp /pub
chmod 777 /share /pub; echo hello > /pub/hello.txt
modprobe virtio_net; sleep 1
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
for m in nls_utf8 ecb hmac md5 aes_generic cmac sha256_generic sha512_generic ccm gcm ctr; do modprobe $m 2>/dev/null; done
modprobe ksmbd; ksmbd.adduser -a -p 'Passw0rd!' alice
ksmbd.mountd -n &
sleep 1; echo READY
while :; do sleep 3600; done
INIT
  chmod +x "$r/init"; (cd "$r" && find . | cpio -o -H newc --quiet | gzip -1) > "$d/initrd"
  rm -rf "$d/k" "$d/u" "$d/r" "$d/deb"
}

# scan ADDRESS FILE: write a scan's result to FILE, unless it reached nothing, which is no measurement.
scan() {
  "$ipcguard" scan "$1" --format json --show-names > "$2" || true
  ! grep -q '"verdict": *"unreachable"' "$2" || rm "$2"
}

waited() { for _ in $(seq 300); do (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null && return 0; sleep 0.1; done; return 1; }

in_root() { if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi; }

measure_samba() { # NAME LINE…
  local base=/lab-$$-$1 b s inside=; b=$root$base; s=$out/$1
  mkdir -p "$b"/{private,lock,state,cache,run,ncalrpc,log,share,pub}; chmod 700 "$b/private"; chmod 777 "$b/share" "$b/pub"
  shift
  { printf '%s\n' "[global]" "netbios name = MEASURED" "workgroup = LABGRP" "server role = standalone server" "interfaces = $address/8" \
      "bind interfaces only = yes" "smb ports = $port" "disable netbios = yes" "load printers = no" "printing = bsd" "passdb backend = tdbsam"
    for l; do case $l in "["*) break ;; esac; echo "$l"; done; } > "$s.conf"
  { for l; do case $l in "["*) inside=1 ;; esac; [ -z "${inside:-}" ] || echo "$l"; done
    printf '%s\n' "[finance]" "path = $base/share" "read only = no" "[public]" "path = $base/pub" "guest ok = yes"; } > "$s.rest"
  # Settings of the measurement are not part of the configuration and are not stored.
  { cat "$s.conf"; printf '%s\n' "private dir = $base/private" "lock directory = $base/lock" "state directory = $base/state" \
      "cache directory = $base/cache" "pid directory = $base/run" "ncalrpc dir = $base/ncalrpc" "log file = $base/log/%m"; cat "$s.rest"; } > "$b/smb.conf"
  cat "$s.rest" >> "$s.conf"; rm "$s.rest"; sed -i "s|$base|/srv|" "$s.conf"
  grep -q ^alice: "$root/etc/passwd" || in_root useradd -M -s /usr/sbin/nologin alice
  printf 'Passw0rd!\nPassw0rd!\n' | in_root smbpasswd -c "$base/smb.conf" -s -a alice >/dev/null 2>&1
  in_root smbd -D -s "$base/smb.conf"
  ! waited "$address" "$port" || scan "$address:$port" "$s.json"
  for f in smbd samba-dcerpcd; do [ ! -f "$b/run/$f.pid" ] || kill "$(cat "$b/run/$f.pid")" 2>/dev/null || true; done
  rm -rf "$b" 2>/dev/null || { sleep 2; rm -rf "$b" || true; } # the helpers end a moment later
}

measure_ksmbd() { # NAME LINE…
  local d=$work/$release s=$out/$1 t inside=; t=$(mktemp -d); shift
  mkdir -p "$t/etc/ksmbd"
  { printf '%s\n' "[global]" "netbios name = MEASURED" "workgroup = LABGRP"
    for l; do case $l in "["*) break ;; esac; echo "$l"; done
    for l; do case $l in "["*) inside=1 ;; esac; [ -z "${inside:-}" ] || echo "$l"; done
    printf '%s\n' "[finance]" "path = /share" "read only = no" "[public]" "path = /pub" "guest ok = yes"; } > "$s.conf"
  cp "$s.conf" "$t/etc/ksmbd/ksmbd.conf"
  cp "$d/initrd" "$t/initrd"; (cd "$t" && find etc -type f | cpio -o -H newc --quiet | gzip -1) >> "$t/initrd"
  qemu-system-x86_64 -accel tcg -cpu max -m 256 -nographic -no-reboot -kernel "$d/vmlinuz" -initrd "$t/initrd" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off" -netdev "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:$port-:445" \
    -device virtio-net-pci,netdev=n,romfile= -monitor none -serial "file:$t/log" </dev/null >/dev/null 2>&1 &
  local vm=$!
  for _ in $(seq 600); do ! grep -q READY "$t/log" 2>/dev/null || break; sleep 0.3; done
  scan "127.0.0.1:$port" "$s.json"
  kill $vm 2>/dev/null || true; wait $vm 2>/dev/null || true
  rm -rf "$t"
}

for release; do
  root= kind=samba
  case $release in
    here) version=$(smbd --version) ;;
    ksmbd-*) kind=ksmbd; kernel_of "${release#ksmbd-}"; version="kernel $(cat "$work/$release/version"), ksmbd-tools $(cat "$work/$release/tools")" ;;
    *) root_of "$release"; root=$work/$release
       mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
       trap 'umount "$root/proc" 2>/dev/null || true' EXIT
       version=$(chroot "$root" smbd --version) ;;
  esac
  out=$work/results/$release; mkdir -p "$out"
  echo "$version" > "$out/version"; date -u +%F > "$out/date"
  if [ $kind = samba ]; then
    printf '[global]\n' > "$root/tmp/none.conf"; in_root testparm -sv /tmp/none.conf > "$out/parameters" 2>/dev/null; rm "$root/tmp/none.conf"
  fi
  while IFS='|' read -r for name lines; do
    [ "$for" = $kind ] && [[ $name =~ $only ]] || continue
    IFS=';' read -ra list <<< "$lines"
    [ ! -s "$out/$name.json" ] || continue # continue an interrupted measurement
    say "$version: $name"
    measure_$kind "$name" "${list[@]}"
    [ -s "$out/$name.json" ] || measure_$kind "$name" "${list[@]}" # once more: a machine with much to do may not start it in time
    [ -s "$out/$name.json" ] || { say "$version: $name: the server did not answer"; exit 1; }
  done < "$here/measure/configurations"
  [ -z "$root" ] || umount "$root/proc"
done
