#!/usr/bin/env bash
# test.sh: what `make test` does, quick failures first. Run it through make, which sets compiler and target folder.
# The last line sums up every `test result:` of cargo, so that the end of a log tells how it went.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${CARGO_TARGET_DIR:?run this through: make test}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# step NAME COMMAND…: a heading, the command, and how long it took.
step() {
  local name="$1" from=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" || { printf '== %s failed after %s s: %s\n' "$name" $((SECONDS - from)) "$*"; return 1; }
  printf '== %s: ok, %s s\n' "$name" $((SECONDS - from))
}

# The chart: clean with the least and with everything, and a plain refusal where the brokers are missing.
charts() {
  local helm chart=helm/throughline refusal
  helm="$(command -v helm || ls "${XDG_CACHE_HOME:-$HOME/.cache}/throughline/bin/helm" 2>/dev/null)" ||
    { echo "skipped: helm is not installed"; return 0; }
  for values in "$chart"/ci/*.yaml; do
    "$helm" lint --quiet --strict "$chart" --values "$values" || return 1
    "$helm" template name "$chart" --kube-version 1.29.0 --values "$values" >/dev/null || return 1
  done
  refusal="$("$helm" template name "$chart" --kube-version 1.29.0 2>&1)" && { echo "rendered without brokers"; return 1; }
  grep -q 'config.kafka.brokers is empty' <<<"$refusal" || { echo "$refusal"; return 1; }
}

# A test that hangs costs the run, not its log: cargo says which has been running for long.
tests() { timeout 45m cargo test --release --workspace --no-fail-fast 2>&1 | tee "$log"; }

# What the source and the sink rest on in a broker, one rule a test.
kafka() {
  timeout 15m "$CARGO_TARGET_DIR/release/with-broker" \
    cargo test --release --workspace --lib --no-fail-fast -- --ignored kafka:: 2>&1 | tee -a "$log"
}

# summary STATUS: one line from all of cargo's result lines; 1 where cargo or a test failed, or none ran.
summary() {
  awk -v status="$1" -v seconds="$SECONDS" '
    /^test result: / { files++; passed += $4; failed += $6; ignored += $8 }
    END {
      bad = status > 0 || failed > 0 || passed == 0
      printf "\ntest result: %s. %d passed; %d failed; %d ignored; in %d test files, %d min %d s\n",
        bad ? "FAILED" : "ok", passed, failed, ignored, files, seconds / 60, seconds % 60
      exit bad
    }' "$log"
}

step "setup" integration/scripts/setup.sh test
step "format" cargo fmt --all --check
step "helm chart" charts
step "lints" cargo clippy --release --workspace --all-targets -- -D warnings
step "build" cargo build --release --workspace
# No test: numbers to compare with those of another commit. Where valgrind cannot run there are none.
step "instructions" "$CARGO_TARGET_DIR/release/steps" || true
status=0
step "tests" tests || status=1
step "kafka" kafka || status=1
summary "$status"
