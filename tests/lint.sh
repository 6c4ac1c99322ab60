#!/bin/sh
# clang-format, clang-tidy and luacheck over the whole tree, as TAP. A tool that is not installed is a skip.
set -u
cd "$(dirname "$0")/.."

check() { # NAME TOOL COMMAND...
    name=$1 tool=$2
    shift 2
    if ! command -v "$tool" >/dev/null; then
        echo "ok - $name # SKIP $tool is not installed"
    elif output=$("$@" 2>&1); then
        echo "ok - $name"
    else
        echo "not ok - $name"
        printf '%s\n' "$output" | grep -v '^[0-9]* warnings generated' | head -n 60 | sed 's/^/# /'
    fi
}

tidy() {
    git ls-files 'host/*.c' | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/release
}

check "clang-format" clang-format sh -c "git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror"
check "clang-tidy" clang-tidy tidy
check "luacheck" luacheck luacheck -q lua recipes tests
