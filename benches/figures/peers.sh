# What `make bench` compares pgwatch with, installed into target/peers in versions that were tried. A tool that can not
# be installed is no failure: NAME.why says why, and its column in the tables stays empty. What is there is kept.

cd "$(dirname "$0")/../.." || exit 1
root=$PWD/target/peers
mkdir -p "$root/bin"

# apt PACKAGE: as root, or by a sudo that asks nothing.
apt() {
  if [ "$(id -u)" = 0 ]; then sudo=; else sudo='sudo -n'; fi
  $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1"
}

# provide NAME COMMAND...: COMMAND puts bin/NAME there, unless it is there.
provide() {
  name=$1 log=$root/$1.log
  shift
  rm -f "$root/$name.why"
  [ -x "$root/bin/$name" ] && return
  echo "Installing $name ..." >&2
  "$@" < /dev/null > "$log" 2>&1
  [ -x "$root/bin/$name" ] && return
  why=$(grep -i -m 1 error "$log" | cut -c 1-160)
  why=${why:-$(tail -n 1 "$log")}
  echo "${why:-it failed without a word}" > "$root/$name.why"
  echo "  not installed: $(cat "$root/$name.why")" >&2
}

link() {
  program=$(command -v "$1") && ln -sf "$program" "$root/bin/$1"
}

get_activity() {
  python3 -m venv "$root/venv" && "$root/venv/bin/pip" install -q pg_activity==3.6.2 'psycopg[binary]==3.3.*' \
    && ln -sf ../venv/bin/pg_activity "$root/bin/pg_activity"
}

# With the versions its author built it with, else, where one of those is not to be had, with those that fit.
crate() {
  for locked in --locked ''; do
    CARGO_TARGET_DIR=$root/build ${CARGO:-cargo} install $locked --root "$root" "$1" --version "$2" && return
  done
}

# Its C part is bound by libclang at build time.
get_pgmon() {
  ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib*/libclang*.so* 2> /dev/null | grep -qv cpp || apt libclang-dev
  crate pgmon 0.8.1
}

get_top() {
  command -v pg_top > /dev/null || apt pgtop
  link pg_top
}

# Debian's psql in the PATH is a script that looks for the right one.
get_psql() {
  newest=$(ls -d /usr/lib/postgresql/*/bin/psql /usr/pgsql-*/bin/psql 2> /dev/null | sort -V | tail -n 1)
  if [ -n "$newest" ]; then ln -sf "$newest" "$root/bin/psql"; else link psql; fi
}

provide psql get_psql
provide pg_top get_top
provide pg_activity get_activity
provide pg_glimpse crate pg_glimpse 0.7.1
provide pgmon get_pgmon
rm -rf "$root/build"
