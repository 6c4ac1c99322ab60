#!/bin/sh
# Runs every test of a build folder and the linters, and counts the cases (TAP).  tests/run.sh BUILD_FOLDER
# The last line is `N passed, N failed, N skipped`. A program that ends badly without saying which case failed
# counts as one failed case.
set -u
cd "$(dirname "$0")/.."
folder=$1
log=$folder/tests.log

# Some tests run the release build's program (tests/CMakeLists.txt): never an old one.
if [ -f build/release/build.ninja ] && ! cmake --build build/release -j "$(nproc)" >"$log" 2>&1; then
    cat "$log"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

# Programs run side by side, one more than there are processors: each waits for a third of its time. Each line carries
# its program's number, by which the log is put in order.
(cd "$folder" && ctest --verbose --timeout 600 -j "$(($(nproc) + 1))") 2>&1 | sort -s -n -t : -k 1,1 >"$log"
tests/lint.sh >>"$log" 2>&1

awk '
    { sub(/^[0-9]+: /, "") }
    /^not ok / { failed++; print; next }
    /^ok .*# [Ss][Kk][Ii][Pp]/ { skipped++; print; next }
    /^ok / { passed++; next }
    /^ *[0-9]+\/[0-9]+ Test .*(Failed|Exception|Timeout|SEGFAULT|Abort|Not Run)/ { bad++; print }
    END {
        if (bad > 0 && failed == 0) failed = bad
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0 || passed == 0
    }' "$log" >"$folder/tests.summary"
status=$?
if [ "$status" -ne 0 ]; then
    grep -nE -A 12 '(^|: )not ok |ERROR: (Address|Leak)Sanitizer|runtime error|left open:' "$log" | head -n 300
    echo "the whole output: $log"
fi
cat "$folder/tests.summary"
exit "$status"
