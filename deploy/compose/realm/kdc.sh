#!/bin/sh
# The KDC, as soon as setup has made the realm (its stash comes before the keytabs: wait for those).
set -eu
until [ -f /secrets/demo/ready ]; do sleep 1; done
exec krb5kdc -n
