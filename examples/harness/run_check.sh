#!/bin/sh
# A test of a model in plain shell: run_check.sh MODEL RANKS [TPINFER OPTION...]
# Prints the line "check: PASS ..." or "check: FAIL ...". Exit codes: 0 passed, 77 skipped (no tpinfer
# or no launcher here), anything else failed.
set -u
if [ $# -lt 2 ]; then
  echo "usage: run_check.sh MODEL RANKS [TPINFER OPTION...]" >&2
  exit 64
fi
model=$1 ranks=$2
shift 2
launcher=${MPIEXEC:-mpirun}
for program in tpinfer "$launcher"; do
  if ! command -v "$program" >/dev/null; then
    echo "skipped: no $program" >&2
    exit 77
  fi
done
line=$("$launcher" -n "$ranks" tpinfer --model "$model" --check --quiet "$@")
status=$?
echo "${line:-no answer, exit code $status}"
case $line in
  "check: PASS "*) exit "$status" ;;
esac
[ "$status" -ne 0 ] || status=1
exit "$status"
