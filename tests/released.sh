#!/bin/sh
# Runs a test file with the release build's program where there is one, else with the build's own.
# tests/released.sh FILE, from the root, with PGORCH_BUILD as ctest sets it. Which files and why: tests/CMakeLists.txt.
set -eu
[ ! -x build/release/pgorch ] || PGORCH_BUILD=$PWD/build/release
export PGORCH_BUILD
exec "$PGORCH_BUILD/pgorch" test "$1"
