# eclipse-temurin:17-jre: Debian's. Its packages want a folder of manuals, which the base has not.
FROM docker.io/library/debian:bookworm-slim
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*
