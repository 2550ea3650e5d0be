#!/usr/bin/env bash
# leash.sh COMMAND…: becomes COMMAND, which is killed at the latest when stdin closes: it cannot outlive its test.
# The pid stays the same. What is killed is known by its start time, so never another process with a used-again pid.
set -euo pipefail
started() { sed -E 's/.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
me=$$
since="$(started $me)"
exec 3<&0 </dev/null
(
  trap '' INT TERM HUP
  cat <&3 >/dev/null || true
  [ "$(started $me)" = "$since" ] && kill -KILL $me
) >/dev/null 2>&1 &
exec "$@" 3<&-
