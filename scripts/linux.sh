#!/usr/bin/env bash
# linux.sh: build a deb, an rpm, a container image, and a bill of materials (CycloneDX) from DIST/ipcguard-linux-ARCH,
# for each of ARCHES, as version VERSION.
#
# Besides the program, the packages contain manual pages, completions, the units and documents of docs/, and the
# dashboard for Grafana. The same commit gives the same bytes: every file has the time of SOURCE_DATE_EPOCH.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(realpath "$DIST")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
tool() { $GO -C packaging tool "$@"; }

# share contains what is the same for every architecture.
share=$work/share
put() { install -D -m "${3:-644}" "$1" "$share/$2"; }
for unit in docs/*.service; do
  name=$(basename "$unit")
  [ "$name" != ipcguard-observe.service ] || name=ipcguard-observe@.service # a template, as its header says
  # Remove the header lines about installing without a package.
  sed -e '/^#   cp /d; s|/usr/local/bin/|/usr/bin/|' "$unit" >"$work/unit"
  put "$work/unit" "usr/lib/systemd/system/$name"
done
put packaging/linux/account.conf usr/lib/systemd/system/ipcguard-serve.service.d/account.conf
put packaging/linux/sysusers.conf usr/lib/sysusers.d/ipcguard.conf
put packaging/grafana/ipcguard.json usr/share/ipcguard/grafana/ipcguard.json
for document in README.md CHANGELOG.md SECURITY.md docs/*.md; do # in the folders to which their links point
  put "$document" "usr/share/doc/ipcguard/$document"
done
put LICENSE usr/share/doc/ipcguard/copyright

mkdir -p "$share/usr/share/man"
$GO run ./scripts/manpages "$share/usr/share/man/man1" "$VERSION"
gzip -9n "$share"/usr/share/man/man1/*

$GO build -o "$work/ipcguard" ./cmd/ipcguard # the completions come from the program and are the same for all systems
complete() {
  mkdir -p "$share/$(dirname "$2")"
  "$work/ipcguard" completion "$1" >"$share/$2"
}
complete bash usr/share/bash-completion/completions/ipcguard
complete zsh usr/share/zsh/site-functions/_ipcguard
complete fish usr/share/fish/vendor_completions.d/ipcguard.fish

programs=
for arch in $ARCHES; do
  program=$dist/ipcguard-linux-$arch root=$work/$arch
  programs+=" $arch=$program"
  cp -a "$share" "$root"
  install -D -m 755 "$program" "$root/usr/bin/ipcguard"
  find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  for form in deb rpm; do
    file=$dist/ipcguard-$VERSION-$arch.$form
    ARCH=$arch ROOT=$root VERSION=$VERSION tool nfpm package --config linux/nfpm.yaml --packager $form --target "$file" >/dev/null
    echo "$file"
  done
  file=$dist/ipcguard-$VERSION-linux-$arch.cdx.json
  # A serial number and the current time would differ between builds.
  tool cyclonedx-gomod bin -json -noserial -version "v$VERSION" -output "$file" "$program" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
  sed -i "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)\"/" "$file"
  echo "$file"
done
file=$dist/ipcguard-$VERSION-image.tar
$GO -C packaging run ./image "$VERSION" "$file" $programs
echo "$file"
