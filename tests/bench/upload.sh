#!/bin/sh
# Streaming a dump into object storage: the pipe that one types by hand against `pgorch dump --to`, in pairs.
#   tests/bench/upload.sh [SIZE_MB] [PAIRS]          default 1000 3; PGORCH names the program, AWS the AWS CLI
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pgorch=${PGORCH:-$here/../../build/release/pgorch}
scale=$(awk -v mb="${1:-1000}" 'BEGIN { printf "%g", mb / 100 }')    # scale 1 is about 100 MB
exec "$pgorch" sandbox --scale "$scale" -- python3 "$here/upload_pairs.py" "$pgorch" "${2:-3}"
