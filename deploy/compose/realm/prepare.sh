#!/bin/sh
# What an administrator does once: roles and namespaces in Kubernetes, home directories in HDFS. Saying it again does no
# harm. No service needs another to be up first: here, too, is waited.
set -eu

say() {
  echo "prepare: $*"
}

# retry WHAT COMMAND...: for three minutes
retry() {
  what=$1
  shift
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 180 ]; then
      say "gave up: $what"
      exit 1
    fi
    sleep 1
  done
}

kubernetes() {
  curl -fsS --max-time 20 --cacert /secrets/demo/ca.crt -H "@/tmp/authorization" "$@" >/dev/null
}

# apply FILE PATH: server-side apply of one object
apply() {
  kubernetes -X PATCH -H 'Content-Type: application/apply-patch+yaml' --data-binary "@/objects/$1" \
    "https://kube-apiserver:6443$2?fieldManager=prepare&force=true"
}

webhdfs() {
  curl -fsSL --max-time 60 --negotiate --user : --location-trusted "$@" >/dev/null
}

until [ -f /secrets/demo/ready ]; do sleep 1; done
umask 077
printf 'Authorization: Bearer %s' "$(cat /secrets/demo/admin-token)" > /tmp/authorization

say 'waiting for the API server'
retry 'the API server is not ready' kubernetes https://kube-apiserver:6443/readyz 2>/dev/null
rbac=/apis/rbac.authorization.k8s.io/v1
apply cluster-role.yaml "$rbac/clusterroles/kerbridge"
apply cluster-role-binding.yaml "$rbac/clusterrolebindings/kerbridge"
apply issuer-discovery.yaml "$rbac/clusterrolebindings/kerbridge-issuer-discovery"
for namespace in kerbridge team-a; do
  apply "namespace-$namespace.yaml" "/api/v1/namespaces/$namespace"
done
apply role.yaml "$rbac/namespaces/kerbridge/roles/kerbridge"
apply role-binding.yaml "$rbac/namespaces/kerbridge/rolebindings/kerbridge"
apply service-account.yaml /api/v1/namespaces/team-a/serviceaccounts/trainer
say 'Kubernetes has its roles and namespaces'

say 'waiting for HDFS'
retry 'no ticket from the KDC' kinit -k -t /secrets/hadoop/namenode.keytab hdfs/namenode 2>/dev/null
url=http://namenode:9870/webhdfs/v1
retry 'the NameNode does not answer' webhdfs "$url/?op=LISTSTATUS" 2>/dev/null
webhdfs -X PUT "$url/user?op=MKDIRS&permission=755"
for user in alice bob; do
  echo "hello from $user" > /tmp/hello.txt
  webhdfs -X PUT "$url/user/$user?op=MKDIRS&permission=700"
  # The DataNode may still be on its way.
  retry 'no DataNode takes the file' \
    webhdfs -X PUT -T /tmp/hello.txt "$url/user/$user/hello.txt?op=CREATE&overwrite=true&permission=600" 2>/dev/null
  webhdfs -X PUT "$url/user/$user/hello.txt?op=SETOWNER&owner=$user"
  webhdfs -X PUT "$url/user/$user?op=SETOWNER&owner=$user"
done
say 'HDFS has its home directories'
apply prepared.yaml /api/v1/namespaces/team-a/configmaps/prepared
