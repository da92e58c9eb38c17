# node:24-bookworm-slim: Node and what comes with it, from npm. The link is to what a build is given from outside.
FROM docker.io/library/debian:bookworm-slim
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY *.tgz /tmp/packages/
RUN set -e; cd /usr/local; \
    tar -xzf /tmp/packages/node.tgz --no-same-owner --strip-components 1; \
    rm README.md CHANGELOG.md package.json; \
    for name in npm corepack; do \
      mkdir -p lib/node_modules/$name; \
      tar -xzf /tmp/packages/$name.tgz --no-same-owner --strip-components 1 -C lib/node_modules/$name; \
    done; \
    mkdir /opt/yarn; \
    tar -xzf /tmp/packages/yarn.tgz --no-same-owner --strip-components 1 -C /opt/yarn; \
    ln -s ../lib/node_modules/npm/bin/npm-cli.js bin/npm; \
    ln -s ../lib/node_modules/npm/bin/npx-cli.js bin/npx; \
    ln -s ../lib/node_modules/corepack/dist/corepack.js bin/corepack; \
    ln -s /opt/yarn/bin/yarn bin/yarn; \
    chmod 755 bin/*; \
    mkdir -p etc; ln -s /mnt/npmrc etc/npmrc; \
    rm -rf /tmp/packages; \
    node --version
CMD ["node"]
