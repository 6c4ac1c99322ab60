#!/bin/sh
# A whole migration (`pgorch run vultr`) in the sandbox: wall time, seconds of each step, pgorch's peak memory.
#   tests/bench/migration.sh [SIZE_MB]               default 1000; PGORCH names the program
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pgorch=${PGORCH:-$here/../../build/release/pgorch}
scale=$(awk -v mb="${1:-1000}" 'BEGIN { printf "%g", mb / 100 }')    # scale 1 is about 100 MB
exec "$pgorch" sandbox --scale "$scale" -- python3 "$here/migration_run.py" "$pgorch"
