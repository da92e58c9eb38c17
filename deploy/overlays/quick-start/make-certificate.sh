#!/bin/sh
# A certificate for `kerbridge serve` from an authority of its own, for trying out and for clusters without one:
#   sh make-certificate.sh [--days N] [NAMESPACE]      (default: 365 days, namespace kerbridge)
# writes files/tls.crt, files/tls.key and files/ca.crt, which is what clients trust. The authority's key is not kept:
# run it again for a new certificate, and give clients the new ca.crt.
set -eu

days=365
if [ "${1-}" = --days ]; then
  days=${2-}
  shift 2 || { echo 'make-certificate.sh: --days wants a number' >&2; exit 2; }
fi
namespace=${1:-kerbridge}
case "$days" in
  '' | *[!0-9]*) echo "make-certificate.sh: not a number of days: $days" >&2; exit 2 ;;
esac
case "$namespace" in
  *[!a-z0-9-]*) echo "make-certificate.sh: not a namespace: $namespace" >&2; exit 2 ;;
esac
if [ $# -gt 1 ]; then
  echo 'usage: sh make-certificate.sh [--days N] [NAMESPACE]' >&2
  exit 2
fi
if ! command -v openssl >/dev/null 2>&1; then
  echo 'make-certificate.sh: openssl is not on PATH' >&2
  exit 2
fi

cd "$(dirname "$0")/files"
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=kerbridge.$namespace

key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

cat > "$work/openssl.cnf" <<CONFIG
[req]
distinguished_name = name
prompt = no
[name]
CN = Kerbridge of $namespace
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:$name, DNS:$name.svc, DNS:$name.svc.cluster.local, DNS:kerbridge
CONFIG

key "$work/ca.key"
openssl req -new -x509 -sha256 -days "$days" -key "$work/ca.key" -config "$work/openssl.cnf" -extensions authority \
  -out "$work/ca.crt"
key "$work/tls.key"
openssl req -new -sha256 -key "$work/tls.key" -config "$work/openssl.cnf" -subj "/CN=$name" -out "$work/tls.csr"
openssl x509 -req -sha256 -days "$days" -in "$work/tls.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial \
  -extfile "$work/openssl.cnf" -extensions server -out "$work/tls.crt" 2>/dev/null
chmod 644 "$work/ca.crt" "$work/tls.crt"
mv "$work/ca.crt" "$work/tls.crt" "$work/tls.key" .
echo "files/tls.crt for $name, $name.svc and $name.svc.cluster.local, good for $days days; clients trust files/ca.crt"
