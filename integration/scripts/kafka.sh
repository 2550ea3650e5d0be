#!/usr/bin/env bash
# kafka.sh: a real Kafka broker (KRaft, one node, loopback only) without docker. Needs Java 17 and Maven.
#   kafka.sh install                       fetch the broker once, into the cache folder
#   kafka.sh run   DIR PORT CONTROLLER     run a broker in the foreground; its pid is this script's
#   kafka.sh start DIR [PORT]              run one in the background (controller at PORT + 1); prints host:port when up
#   kafka.sh stop  DIR [--kill]            end the broker that `start` began; --kill: as a crash
set -euo pipefail
version=4.3.1
cache="${XDG_CACHE_HOME:-$HOME/.cache}/throughline/kafka-$version"
archive="$cache/classes.jsa"
jvm=(-Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.awt.headless=true
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true
  -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS)

pom() {
  cat <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>throughline</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
}

# One at a time, also where several tests come at once; what stands complete is used as it is.
install() {
  [ ! -f "$cache/complete" ] || return 0
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  [ ! -f "$cache/complete" ] || return 0
  echo "fetching Kafka $version" >&2
  rm -rf "$cache/libs"
  pom >"$cache/pom.xml"
  mvn -q -B -ntp -f "$cache/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$cache/libs" -DincludeScope=runtime >&2
  train 9>&-
  touch "$cache/complete"
  exec 9>&-
}

# One short run that leaves an archive of loaded classes: it halves every later start. Not needed to work.
train() {
  local dir
  dir="$(mktemp -d)"
  (
    jvm+=("-XX:ArchiveClassesAtExit=$archive")
    configure "$dir" 19892 19893
    format "$dir"
    launch "$dir" &
    echo $! >"$dir/pid"
    wait_until_up "$dir" 19892
    kill -TERM "$(cat "$dir/pid")"
    wait "$(cat "$dir/pid")"
  ) >"$dir/train.log" 2>&1 || true
  rm -rf "$dir"
}

# configure DIR PORT CONTROLLER. A topic that nobody created is an error here, never made silently.
configure() {
  mkdir -p "$1"
  cat >"$1/broker.properties" <<CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=PLAINTEXT://127.0.0.1:$2
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$1/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=1000
log.segment.delete.delay.ms=1000
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=16777216
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=2000
controller.quorum.election.timeout.ms=200
controller.quorum.election.backoff.max.ms=200
CONFIG
}

format() {
  [ ! -f "$1/data/meta.properties" ] || return 0
  local id
  # No dash: the tool takes an id that begins with one for an option.
  id="$(head -c16 /dev/urandom | base64 | tr '+/' '__' | tr -d '=')"
  java "${jvm[@]}" -cp "$cache/libs/*" kafka.tools.StorageTool format -t "$id" -c "$1/broker.properties" >"$1/format.log" 2>&1 ||
    { cat "$1/format.log" >&2; return 1; }
}

launch() {
  exec java "${jvm[@]}" -cp "$cache/libs/*" kafka.Kafka "$1/broker.properties"
}

run() {
  install
  [ ! -f "$archive" ] || jvm+=("-XX:SharedArchiveFile=$archive" -Xshare:auto)
  configure "$@"
  format "$1"
  launch "$1"
}

# wait_until_up DIR PORT: at most 60 s, for the broker whose pid stands in DIR/pid.
wait_until_up() {
  for _ in $(seq 600); do
    kill -0 "$(cat "$1/pid")" 2>/dev/null || { echo "the broker ended:" >&2; tail -20 "$1/broker.log" >&2; return 1; }
    if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "the broker does not answer at 127.0.0.1:$2 after 60 s; see $1/broker.log" >&2
  return 1
}

start() {
  local dir="$1" port="${2:-19092}"
  install
  mkdir -p "$dir"
  dir="$(cd "$dir" && pwd)"
  setsid nohup "$0" run "$dir" "$port" $((port + 1)) >>"$dir/broker.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  wait_until_up "$dir" "$port"
  echo "127.0.0.1:$port"
}

# Only a pid that runs Kafka on this very folder is ended.
stop() {
  local dir pid signal=TERM
  dir="$(cd "$1" && pwd)"
  [ "${2:-}" != --kill ] || signal=KILL
  [ -f "$dir/pid" ] || return 0
  pid="$(cat "$dir/pid")"
  if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir"; then
    kill -$signal "$pid"
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  fi
  rm -f "$dir/pid"
}

command="${1:-help}"
shift || true
case "$command:$#" in
  install:0 | run:3 | start:[12] | stop:[12]) "$command" "$@" ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
