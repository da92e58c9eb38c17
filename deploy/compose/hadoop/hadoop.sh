#!/bin/sh
# hadoop.sh namenode | datanode | application | fs ARGUMENT...
set -eu

java_of_hadoop() {
  exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.net.preferIPv4Stack=true \
    -Duser.home=/tmp -cp '/etc/hadoop/conf:/opt/hadoop/jars/*' "$@"
}

command=${1:-}
case $command in
  namenode)
    until [ -f /secrets/ready ]; do sleep 1; done
    # The hosts of hadoop.proxyuser.kerbridge.hosts are looked up once, when the NameNode starts.
    until getent hosts kerbridge >/dev/null; do sleep 1; done
    if [ ! -d /data/name/current ]; then
      (java_of_hadoop org.apache.hadoop.hdfs.server.namenode.NameNode -format -nonInteractive)
    fi
    java_of_hadoop org.apache.hadoop.hdfs.server.namenode.NameNode
    ;;
  datanode)
    until [ -f /secrets/ready ]; do sleep 1; done
    java_of_hadoop org.apache.hadoop.hdfs.server.datanode.DataNode
    ;;
  application)
    # The main container of alice's pod: reads as soon as there is a token file and nobody has its result yet.
    trap 'exit 0' TERM INT
    while :; do
      if [ -s "$HADOOP_TOKEN_FILE_LOCATION" ] && [ ! -e /pod/result ]; then
        for file in /user/alice/hello.txt /user/bob/hello.txt; do
          echo "\$ hadoop fs -cat $file"
          (java_of_hadoop org.apache.hadoop.fs.FsShell -cat "$file") || true
        done >/pod/result.new 2>&1
        mv /pod/result.new /pod/result
      fi
      sleep 1 &
      wait "$!"
    done
    ;;
  fs)
    shift
    java_of_hadoop org.apache.hadoop.fs.FsShell "$@"
    ;;
  *)
    echo 'usage: hadoop.sh namenode | datanode | application | fs ARGUMENT...' >&2
    exit 2
    ;;
esac
