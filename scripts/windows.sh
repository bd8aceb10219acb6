#!/usr/bin/env bash
# windows.sh: build DIST/ipcguard-VERSION-x64.msi from DIST/ipcguard-windows-amd64.exe and, if URL is the address of the
# release's files, the manifests for winget and Chocolatey. SIGN is a program that signs the file given as its argument.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in wixl msibuild; do
  command -v $tool >/dev/null || { echo "windows: $tool is missing: apt-get install wixl msitools" >&2; exit 1; }
done

msi=$DIST/ipcguard-$VERSION-x64.msi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$DIST/ipcguard-windows-amd64.exe" "$work/ipcguard.exe"
cp LICENSE packaging/windows/ipcguard.wxs "$work"
(cd "$work" && wixl -a x64 -D Version="$VERSION" -o ipcguard.msi ipcguard.wxs) # which accepts no absolute paths
mv "$work/ipcguard.msi" "$msi"
# wixl does not support the Environment element: the folder is appended to the machine's path, and removed with the
# program.
msibuild "$msi" -q 'CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)'
msibuild "$msi" -q 'INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) VALUES ('"'Path', '=-*PATH', '[~];[INSTALLDIR]', 'Program')"
for step in WriteEnvironmentStrings:5200 RemoveEnvironmentStrings:3300; do
  msibuild "$msi" -q 'INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('"'${step%:*}', ${step#*:})"
done
$SIGN "$msi"
echo "$msi"

[ -n "$URL" ] || { echo "windows: no manifests: URL= says where the installer will be" >&2; exit 0; }
sum=$(sha256sum "$msi" | cut -d' ' -f1)
for folder in winget chocolatey; do
  (cd packaging/windows && find $folder -type f) | while read -r file; do
    mkdir -p "$DIST/$(dirname "$file")"
    sed -e "s|@VERSION@|$VERSION|g" -e "s|@URL@|${URL%/}|g" -e "s|@MSI@|$(basename "$msi")|g" -e "s|@SHA256@|${sum^^}|g" \
      "packaging/windows/$file" >"$DIST/$file"
    echo "$DIST/$file"
  done
done
