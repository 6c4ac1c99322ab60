#!/bin/sh
# The floors include downward only: core <- io <- lua <- api, and cli sees nothing but <pgorch.h>.
set -eu
cd "$(dirname "$0")/.."
failed=0
check() { # FOLDER FORBIDDEN-REGEX
    if grep -rnE "#include [\"<]($2)" "host/$1" --include='*.[ch]'; then
        echo "not ok - host/$1 includes a floor above it"
        failed=1
    else
        echo "ok - host/$1"
    fi
}
check core '(io|lua|api|cli)/|lua5|lua\.h|libpq|curl/|openssl/|sqlite3|microhttpd|jansson|expat|pgorch'
check io '(lua|api|cli)/|lua5|lua\.h|jansson|expat|pgorch'
check lua '(api|cli)/|libpq-fe|curl/|sqlite3|microhttpd|pgorch'
check api 'cli/|libpq-fe|curl/|sqlite3|microhttpd'
check cli '(core|io|lua|api)/'
exit $failed
