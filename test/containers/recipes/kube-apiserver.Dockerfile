# kube-apiserver of the local stack.
FROM docker.io/library/debian:bookworm-slim
COPY --chmod=755 server /usr/local/bin/kube-apiserver
