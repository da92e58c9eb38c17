#!/bin/sh
# The root file system of debian:bookworm-slim, made with mmdebstrap: debian.sh ARCHIVE.tar
set -eu
archive=$1

# site RELEASE: from where this machine's own apt has that release of Debian, in whatever form its sources are written.
site() {
  # shellcheck disable=SC2016 # apt-get and awk expand them
  apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' | awk -v release="$1" '$1 == release { print $2; exit }'
}
debian=$(site bookworm)
security=$(site bookworm-security)
if [ -z "$debian" ] || [ -z "$security" ]; then
  echo 'debian.sh: the sources of apt name no bookworm and bookworm-security: add them' >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/apt.conf.d" "$work/sources.list.d"
# As in the public image, so that `sed` on this file does the same here and there.
cat > "$work/sources.list.d/debian.sources" <<END
Types: deb
URIs: $debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
# No archives of packages stay in a layer.
cat > "$work/apt.conf.d/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
END
set -- --variant=minbase --include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --components=main
for folder in doc man info locale lintian groff linda; do
  set -- "$@" "--dpkgopt=path-exclude=/usr/share/$folder/*"
done
# shellcheck disable=SC2016 # the shell of mmdebstrap expands it
mmdebstrap "$@" --dpkgopt='path-include=/usr/share/doc/*/copyright' --aptopt='Acquire::Languages "none"' \
  --customize-hook='rm -f "$1/etc/apt/sources.list"' \
  --customize-hook="copy-in $work/sources.list.d $work/apt.conf.d /etc/apt" \
  bookworm "$archive" \
  "deb $debian bookworm main" \
  "deb $debian bookworm-updates main" \
  "deb $security bookworm-security main"
