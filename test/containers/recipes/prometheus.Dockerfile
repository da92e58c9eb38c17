# prom/prometheus: Debian's program, without what its package brings along.
FROM docker.io/library/debian:bookworm-slim AS package
WORKDIR /package
RUN apt-get update && apt-get download prometheus && dpkg -x prometheus_*.deb .

FROM docker.io/library/debian:bookworm-slim
COPY --from=package /package/usr/bin/prometheus /bin/prometheus
RUN mkdir -p /etc/prometheus && install -d -o 65534 -g 65534 /prometheus
USER 65534
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
