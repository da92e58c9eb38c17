# maven:3.9-eclipse-temurin-17: Debian's. The links are to what a build is given from outside.
FROM docker.io/library/debian:bookworm-slim
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends maven openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir /root/.m2 \
 && ln -s /mnt/settings.xml /root/.m2/settings.xml \
 && ln -s /mnt/mavenrc /etc/mavenrc
