# The image of every kerbridge command. See docs/containers.md.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

# What kerbridge needs of npm at run time.
FROM ${NODE_IMAGE} AS modules
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils g++ libkrb5-dev make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# The one native module is compiled here, against the headers of this very Node: no binary from elsewhere.
RUN npm ci --omit=dev --ignore-scripts \
 && npm explore kerberos -- node-gyp rebuild --nodedir=/usr/local
# What only its installation needed goes with it, and it comes back alone; of the rest goes what Node never loads.
RUN mkdir -p /kerberos/build/Release \
 && cp -R node_modules/kerberos/package.json node_modules/kerberos/LICENSE node_modules/kerberos/lib /kerberos/ \
 && strip --strip-unneeded -o /kerberos/build/Release/kerberos.node node_modules/kerberos/build/Release/kerberos.node \
 && npm uninstall kerberos --omit=dev --ignore-scripts \
 && mv /kerberos node_modules/kerberos \
 && find node_modules -type d '(' -name @types -o -name test -o -name tests -o -name __tests__ -o -name benchmarks \
      -o -name examples ')' -prune -exec rm -r '{}' + \
 && find node_modules -type f '(' -name '*.ts' -o -name '*.[cm]ts' -o -name '*.map' -o -name '*.test.*' -o -name '*.bare' \
      -o -iname '*.md' ')' ! -iname 'licen[cs]e*' -delete \
 && find node_modules -depth -type d -empty -delete \
 && strip --strip-unneeded -o node /usr/local/bin/node

# Our TypeScript as JavaScript.
FROM ${NODE_IMAGE} AS dist
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run prepack

# The base plus Kerberos and an init that hands signals on and reaps; less Node's package managers, Debian's, what runs
# only with them, and every setuid bit. The list of packages stays, for scanners.
FROM ${NODE_IMAGE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgssapi-krb5-2 tini \
 && dpkg --purge --force-depends --force-remove-essential --force-remove-protected \
      login passwd mount adduser tzdata e2fsprogs logsave libext2fs2 libss2 \
      apt libapt-pkg6.0 debian-archive-keyring gpgv libgnutls30 libhogweed6 libnettle8 libp11-kit0 \
      debconf perl-base \
 && rm -rf /etc/apt /home/* /opt/* /tmp/* /usr/local/* /usr/share/doc/*/changelog* /usr/share/gcc /usr/share/gdb /var/cache/* /var/lib/apt /var/log/* \
 && find / -xdev -type f -perm /6000 -exec chmod a-s '{}' + \
 && mkdir /usr/local/bin
COPY --from=modules /build/node /usr/local/bin/node
COPY --from=modules /build/node_modules /opt/kerbridge/node_modules
COPY --from=dist /build/dist /opt/kerbridge/dist
COPY package.json CHANGELOG.md LICENSE /opt/kerbridge/
RUN ln -s /opt/kerbridge/dist/main.js /usr/local/bin/kerbridge && kerbridge --version

# One layer: what was removed above is in none below.
FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="kerbridge" \
      org.opencontainers.image.description="Lets Kubernetes pods use a kerberized Hadoop as the person who started them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=runtime / /
ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production
# By number, so that runAsNonRoot can tell. Any other UID works as well: the image holds nothing that is to be written.
USER 65532:65532
WORKDIR /opt/kerbridge
# As the first process node would not end by a signal that it has no handler for. -s: also where it is not the first.
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/usr/local/bin/node", "/opt/kerbridge/dist/main.js"]
CMD ["--help"]
