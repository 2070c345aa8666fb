#!/bin/sh
# fetch-debian.sh MAJOR DIR: the programs of a PostgreSQL server from Debian's newer suites, as a tree of its own in DIR with
# its own libc: nothing is installed, and no root is needed. DIR/bin has initdb, pg_ctl, postgres and psql.
set -eu
major=$1 dir=$2
fail() { echo "PostgreSQL $major: neither installed, nor could it be fetched from Debian: $1" >&2; exit 1; }
for program in apt-get dpkg dpkg-deb; do
  command -v $program > /dev/null || fail "$program is missing"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keyring ] || fail "$keyring is missing (the package debian-archive-keyring)"

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/apt/parts" "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/root" "$work/tree/usr/lib" "$work/tree/usr/share"

# The mirror of this machine, if it is one of Debian's main archive. A proxy is in apt's configuration, which stays in force.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2> /dev/null |
  sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\} *\([^ ]*\) .*/\2/p' | grep '/debian/*$' | head -1)
cat > "$work/apt/parts/newer.sources" <<END
Types: deb
URIs: ${mirror:-http://deb.debian.org/debian}
Suites: sid experimental
Components: main
Signed-By: $keyring
END
# Of experimental only the server, where sid does not have it yet.
cat > "$work/apt/preferences" <<END
Package: src:postgresql-$major
Pin: release a=experimental
Pin-Priority: 500
END
# What the server's packages ask for beside libraries, as if it were there.
for package in postgresql-common postgresql-client-common ssl-cert tzdata locales netbase init-system-helpers debconf adduser; do
  printf 'Package: %s\nStatus: install ok installed\nArchitecture: all\nMulti-Arch: foreign\nVersion: 9999\nDescription: there\n\n' $package
done > "$work/apt/status"
apt() {
  apt-get -q -y -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/parts" -o Dir::Etc::preferences="$work/apt/preferences" \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt" \
    -o Acquire::Languages=none -o APT::Sandbox::User= -o Debug::NoLocking=true "$@" > "$work/log" 2>&1 ||
    fail "apt-get says: $(grep '^[EW]:' "$work/log" | head -1)"
}
apt update -o APT::Update::Error-Mode=any
# patchelf: from there as well, so that this machine needs none.
apt install --download-only --no-install-recommends "postgresql-$major" "postgresql-client-$major" patchelf

for package in "$work"/apt/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done
cp -a "$work/root/usr/lib/postgresql" "$work"/root/usr/lib/*-linux-gnu* "$work/tree/usr/lib/"
cp -a "$work/root/usr/share/postgresql" "$work/tree/usr/share/"
libraries=$(cd "$work/tree" && ls -d usr/lib/*-linux-gnu*)
loader=$libraries/$(cd "$work/tree/$libraries" && ls ld-*.so.* | head -1)
for program in "$work/tree/usr/lib/postgresql/$major/bin/"*; do
  [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
  "$work/tree/$loader" --library-path "$work/tree/$libraries" "$work/root/usr/bin/patchelf" \
    --set-interpreter "$dir/$loader" --force-rpath --set-rpath "$dir/$libraries" "$program"
done
for folder in bin lib; do ln -s "usr/lib/postgresql/$major/$folder" "$work/tree/$folder"; done
# Last, so that what is there is whole.
chmod 755 "$work/tree"
rm -rf "$dir"
mv "$work/tree" "$dir"
"$dir/bin/postgres" --version > /dev/null || fail "its server does not run here"
