#!/bin/sh
# Brings what the npm scripts need: node_modules and, without --light, the programs of the local stack.
# Does nothing, quickly, when all is there. Must run with any Node from 18 on, and on a Debian that has little else.
#
# With --containers also what builds and runs container images.
#
# usage: sh test/bootstrap.sh [--light | --containers]

set -eu

light=no
containers=no
case "$#:${1-}" in
  0:) ;;
  1:--light) light=yes ;;
  1:--containers) containers=yes ;;
  *)
    echo 'usage: sh test/bootstrap.sh [--light | --containers]' >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."
# Debian keeps servers in sbin, which is not on everybody's PATH. And npm puts node_modules/.bin first, with a Node in
# it that would be pulled from under the npm that reinstalls it: the machine's own is to be used here.
PATH=$(printf '%s\n' "$PATH" | tr ':' '\n' | grep -v '/node_modules/\.bin/*$' | paste -s -d : -)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() {
  echo "bootstrap: $*" >&2
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# --- Debian packages -------------------------------------------------------------------------------------------------

packages=''

want() {
  packages="$packages $1"
}

policy=/usr/sbin/policy-rc.d

# Debian asks policy-rc.d before it starts a service with its package: the stack runs its own KDC, and none of the
# system is wanted. A policy that is there already is left alone, and ours goes when the installation ends.
install_without_services() {
  policy_is_ours=no
  if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    trap remove_policy EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # shellcheck disable=SC2016 # the inner shell expands it
    as_root sh -c 'printf "#!/bin/sh\nexit 101\n" > "$1" && chmod 755 "$1"' sh "$policy"
  fi
  result=0
  install_packages || result=$?
  remove_policy
  return "$result"
}

remove_policy() {
  if [ "$policy_is_ours" = yes ]; then
    policy_is_ours=no
    as_root rm -f "$policy"
  fi
}

install_packages() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 || return 1
  # shellcheck disable=SC2086 # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $packages >&2
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

install_wanted() {
  if [ -z "$packages" ]; then
    return 0
  fi
  command_line="apt-get install -y --no-install-recommends$packages"
  if ! has apt-get; then
    say "missing, and this is no Debian to install them on:$packages"
    exit 2
  fi
  if [ "$(id -u)" != 0 ] && ! { has sudo && sudo -n true 2>/dev/null; }; then
    say "missing Debian packages; run this, then try again:"
    say "  sudo apt-get update && sudo $command_line"
    exit 2
  fi
  say "installing Debian packages:$packages"
  if ! install_without_services; then
    say "the installation failed; try it by hand: $command_line"
    exit 1
  fi
  packages=''
}

# --- node_modules ----------------------------------------------------------------------------------------------------

stamp=node_modules/.kerbridge-bootstrap

lock_digest() {
  cksum < package-lock.json
}

node_modules_are_current() {
  if [ -f "$stamp" ]; then
    [ "$(cat "$stamp")" = "$(lock_digest)" ]
  elif [ -f node_modules/.package-lock.json ] && [ -x node_modules/.bin/node ]; then
    # Somebody ran npm ci by hand, after the lock file was last changed.
    [ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ] && lock_digest > "$stamp"
  else
    return 1
  fi
}

# npm kerberos compiles when no prebuilt binary can be had; libkrb5-dev brings what it loads at run time too.
want_compiler() {
  [ -e /usr/include/krb5.h ] || want libkrb5-dev
  has c++ || want g++
  has make || want make
  has python3 || want python3
}

install_node_modules() {
  if ! has npm; then
    say 'npm is not on PATH: install Node.js 18 or later with npm (https://nodejs.org)'
    exit 2
  fi
  if [ -L node_modules ]; then
    # npm ci would empty what the link points to, which is somebody else's.
    say 'node_modules is a link and not of this lock file: remove the link, and run this again'
    exit 2
  fi
  say 'installing node_modules (npm ci) ...'
  npm ci --no-audit --no-fund >&2
  unlink_kerberos_from_libnode
  lock_digest > "$stamp"
}

# The npm of Debian links what it compiles to Debian's own libnode. Loaded by the Node of node_modules the add-on would
# bring a second runtime into the process, which then crashes when it ends.
unlink_kerberos_from_libnode() {
  build=node_modules/kerberos/build
  if [ -f "$build/kerberos.target.mk" ] && grep -q '^[[:space:]]*-lnode ' "$build/kerberos.target.mk"; then
    say 'linking kerberos without libnode ...'
    sed '/^[[:space:]]*-lnode /d' "$build/kerberos.target.mk" > "$build/kerberos.target.mk.new"
    mv "$build/kerberos.target.mk.new" "$build/kerberos.target.mk"
    make -C "$build" BUILDTYPE=Release >&2
  fi
}

# --- programs of the stack -------------------------------------------------------------------------------------------

# The first number in what a version command says: 17 of `javac 17.0.15`.
major_version() {
  "$@" 2>/dev/null | sed -n 's/^[^0-9]*\([0-9][0-9]*\).*/\1/p' | head -n 1
}

java_is_new_enough() {
  if [ -n "${JAVA_HOME-}" ]; then
    javac=$JAVA_HOME/bin/javac
  else
    javac=javac
  fi
  has "$javac" || return 1
  # Asking javac takes a third of a second; the release file beside it says the same.
  home=$(dirname "$(dirname "$(readlink -f "$(command -v "$javac")")")")
  if [ -r "$home/release" ]; then
    major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
  else
    major=$(major_version "$javac" -version)
  fi
  [ "${major:-0}" -ge 17 ]
}

want_stack_packages() {
  has krb5kdc || want krb5-kdc
  has kadmin.local || want krb5-admin-server
  has kinit || want krb5-user
  # A KDC with a wrong clock, for the tests of kerbridge check.
  has faketime || want faketime
  java_is_new_enough || want default-jdk-headless
  # The jars are fetched once; without the program they can't be.
  has mvn || want maven
  { has prometheus && has promtool; } || want prometheus
}

want_container_packages() {
  # podman without netavark knows no names of containers; aardvark-dns answers them. netavark calls iptables.
  for program in podman buildah runc podman-compose mmdebstrap iptables; do
    has "$program" || want "$program"
  done
  [ -x /usr/lib/podman/netavark ] || want netavark
  [ -x /usr/lib/podman/aardvark-dns ] || want aardvark-dns
}

# The shells that fetch-credentials.sh is for, its curl, and who looks at it.
want_shells() {
  has dash || want dash
  has busybox || want busybox
  has curl || want curl
  has shellcheck || want shellcheck
}

has_control_plane() {
  for file in etcd kube-apiserver; do
    has "$file" || [ -x "${KUBEBUILDER_ASSETS:-/nonexistent}/$file" ] || return 1
  done
}

control_plane_is_cached() {
  for program in "${XDG_CACHE_HOME:-$HOME/.cache}"/kerbridge/kubernetes-*/control-plane; do
    [ -x "$program" ] && return 0
  done
  return 1
}

require_go() {
  if has_control_plane || control_plane_is_cached; then
    return 0
  fi
  if has go; then
    # Asked in the module's folder: from 1.21 on Go fetches the release that go.mod wants, unless that is switched off.
    version=$(cd test/stack/kubernetes && go env GOVERSION 2>/dev/null) || version=''
    minor=$(printf '%s\n' "$version" | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -ge 26 ]; then
      return 0
    fi
    say "Go 1.26 or later is needed to build etcd and kube-apiserver; $(command -v go) is $(go version)"
  else
    say 'Go 1.26 or later is needed to build etcd and kube-apiserver, and there is no go on PATH'
  fi
  say 'install it from https://go.dev/dl, or point KUBEBUILDER_ASSETS at a folder with etcd and kube-apiserver'
  exit 2
}

check_java() {
  if ! java_is_new_enough; then
    say 'a JDK of version 17 or later is needed, and this release of Debian has none: install one and set JAVA_HOME'
    exit 2
  fi
}

# --- in this order ---------------------------------------------------------------------------------------------------

modules_needed=no
if ! node_modules_are_current; then
  modules_needed=yes
  want_compiler
fi
if [ "$light" = no ]; then
  require_go
  want_stack_packages
  want_shells
fi
if [ "$containers" = yes ]; then
  want_container_packages
fi
install_wanted
if [ "$light" = no ]; then
  check_java
fi
if [ "$modules_needed" = yes ]; then
  install_node_modules
fi
