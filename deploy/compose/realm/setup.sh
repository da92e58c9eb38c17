#!/bin/sh
# Makes, once, what the services share: the realm and its keytabs, certificates, keys of the API server. Each service
# gets a volume of its own with what is for it alone; the file `ready` is the last one written there.
set -eu
umask 077

say() {
  echo "setup: $*"
}

if [ -f /secrets/demo/ready ]; then
  say 'all is there'
  exit 0
fi

say 'the realm'
rm -rf /realm/principal* /realm/stash /secrets/*/*
kdb5_util create -s -P "$(openssl rand -hex 24)" >/dev/null
for principal in kerbridge alice bob hdfs/namenode HTTP/namenode hdfs/datanode HTTP/datanode; do
  kadmin.local -q "addprinc -randkey $principal" >/dev/null
done
kadmin.local -q 'ktadd -k /secrets/kerbridge/kerbridge.keytab -norandkey kerbridge' >/dev/null
kadmin.local -q 'ktadd -k /secrets/hadoop/namenode.keytab -norandkey hdfs/namenode HTTP/namenode' >/dev/null
kadmin.local -q 'ktadd -k /secrets/hadoop/datanode.keytab -norandkey hdfs/datanode HTTP/datanode' >/dev/null

say 'certificates'
work=$(mktemp -d)
cd "$work"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 30 \
  -subj '/CN=kerbridge demo CA' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
# certificate NAME FOLDER: NAME.crt and NAME.key for the host of that name and for localhost
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2/$1.key" -out request -subj "/CN=$1" 2>/dev/null
  echo "subjectAltName=DNS:$1,DNS:localhost,IP:127.0.0.1" > extensions
  openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out "$2/$1.crt" 2>/dev/null
}
certificate kube-apiserver /secrets/kubernetes
certificate kerbridge /secrets/kerbridge
cp ca.crt /secrets/kerbridge/
cp ca.crt /secrets/demo/

say 'accounts of the API server'
openssl genrsa -out /secrets/kubernetes/service-account.key 2048 2>/dev/null
openssl rsa -in /secrets/kubernetes/service-account.key -pubout -out /secrets/kubernetes/service-account.pub 2>/dev/null
admin=$(openssl rand -hex 24)
kerbridge=$(openssl rand -hex 24)
cat > /secrets/kubernetes/tokens.csv <<END
$admin,admin,admin,"system:masters"
$kerbridge,kerbridge,kerbridge,"kerbridge"
END
printf %s "$admin" > /secrets/demo/admin-token
cat > /secrets/kerbridge/kubeconfig <<END
apiVersion: v1
kind: Config
clusters: [{ name: demo, cluster: { server: 'https://kube-apiserver:6443', certificate-authority: /secrets/ca.crt } }]
users: [{ name: kerbridge, user: { token: $kerbridge } }]
contexts: [{ name: demo, context: { cluster: demo, user: kerbridge } }]
current-context: demo
END
cd /
rm -rf "$work"

# The users that the images run as, by number.
chown -R 65532:65532 /secrets/kerbridge /secrets/demo
chown -R 10001:10001 /secrets/hadoop
chown 65532:65532 /pod
for folder in kerbridge hadoop kubernetes demo; do
  : > "/secrets/$folder/ready"
  chmod 755 "/secrets/$folder" "/secrets/$folder/ready"
done
say 'done'
