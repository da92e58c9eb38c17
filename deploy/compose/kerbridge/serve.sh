#!/bin/sh
# /metrics listens on one address, which is known only here: that of this container.
set -eu
until [ -f /secrets/ready ] && getent hosts namenode >/dev/null; do sleep 1; done
exec kerbridge serve --config /etc/kerbridge/kerbridge.yaml --admin-listen "$(hostname -i | cut -d ' ' -f 1):8081"
