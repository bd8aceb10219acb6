#!/usr/bin/env bash
# fetch.sh: download what only tests need and Debian does not have, as npm packages, into the user's cache: unpacked,
# checked against the sum below, and never run. It prints nothing if everything is there; otherwise one line for each
# missing package says what is skipped, and the exit status is 1.
set -uo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ipcguard/npm

# name, version, SHA-512 of the package, and what is skipped without it
packages='
tree-sitter-powershell  0.26.4        e51c0d5bfa8dfdc280ad9634ce7bd3386f8e5926aeec081e9792b403c290e4db9bc3fe12c99e4a0b4d91282698700daeaf9510f1eb32c5ef7eeb25eea7631793  PowerShell read by a parser of its grammar
web-tree-sitter         0.27.1        aadc745725323511ed2f7cdeefebf4842281fec2dc02663b640569fd92bf6c28f4c840fca6dbcdaebed577b0f00f228358df5b6aa714c78b9a0f6af6aa5fba20  PowerShell read by a parser of its grammar
@microsoft/jest-sarif   1.0.0-beta.0  0357ce84f77a21ce620e4e05f583f0d6a341e1717eefe22f891ef197caf617a433424c7972963d2ec1a4dab1318852047016e3a559d29b058606e9004a4890f4  SARIF held against its schema
@seriousme/openapi-schema-validator  2.11.0  0cbf138e68e4512efa39a2bf4e29e846d7fa3eb8abb167cc662bfada27cff5eab750ea682ea48664aa4212bc4ccf3d22d698c40923d863ea99d52458120884be  the OpenAPI document held against the schema of OpenAPI 3.1
'

fetch() {
  local name=$1 version=$2 sum=$3 tmp dir done=
  dir=$cache/${name##*/}-$version
  [ ! -e "$dir/package.json" ] || return 0
  command -v npm >/dev/null || return 1
  tmp=$(mktemp -d)
  if (cd "$tmp" && npm pack --silent "$name@$version" >/dev/null && mv ./*.tgz package.tgz &&
    echo "$sum  package.tgz" | sha512sum --check --status && tar xzf package.tgz) 2>/dev/null; then
    # Move it into place atomically: another fetch of the same package may run.
    mkdir -p "$cache" && mv -T "$tmp/package" "$tmp/named" && cp -r "$tmp/named" "$dir.$$" &&
      { mv -T "$dir.$$" "$dir" 2>/dev/null || rm -rf "$dir.$$"; } && done=yes
  fi
  rm -rf "$tmp"
  [ -n "$done" ]
}

# tree: a package with all its dependencies, whose sums are in the lock file beside internal/peer's use of it
tree() {
  local from=$1 dir=$cache/$2 tmp done=
  [ ! -e "$dir/package.json" ] || return 0
  command -v npm >/dev/null || return 1
  tmp=$(mktemp -d)
  if cp "$from/package.json" "$from/package-lock.json" "$tmp" && (cd "$tmp" && npm ci --ignore-scripts --silent --no-audit --no-fund) >/dev/null 2>&1; then
    mkdir -p "$cache" && cp -r "$tmp" "$dir.$$" && { mv -T "$dir.$$" "$dir" 2>/dev/null || rm -rf "$dir.$$"; } && done=yes
  fi
  rm -rf "$tmp"
  [ -n "$done" ]
}

failed=0
tree "$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/internal/peer/oidc" oidc-provider-9.13.3 || {
  echo "setup: skipped: logins at a real OpenID provider (npm could not fetch oidc-provider)" >&2
  failed=1
}
while read -r name version sum without; do
  [ -n "$name" ] || continue
  fetch "$name" "$version" "$sum" || {
    echo "setup: skipped: $without (npm could not fetch $name $version)" >&2
    failed=1
  }
done <<<"$packages"
exit "$failed"
