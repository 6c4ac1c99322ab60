#!/bin/sh
# Installs what is missing from Debian's packages:  vendor/debian.sh SET...
# (sets: build, sandbox, test, browser, servers, bench, npm). Needs root, or sudo. Does nothing, and asks for nothing, when
# all is there.
#
# The PostgreSQL server is not installed but unpacked: installing the package would start a cluster on this
# machine, or leave a setting behind that keeps a later installation from making one. The same goes for the real
# object stores and the pooler of the set `servers`, whose packages start daemons and bring rsyslog, lvm2 and sudo with
# them.
set -eu

build="gcc libc6-dev cmake ninja-build pkg-config liblua5.4-dev libuv1-dev libpq-dev libcurl4-openssl-dev libssl-dev
    libjansson-dev libsqlite3-dev libexpat1-dev libmicrohttpd-dev libcmocka-dev
    zlib1g-dev libisal-dev libdeflate-dev libedit-dev lua-check"
sandbox="postgresql-client-15 openssl ca-certificates"
server_libraries="libicu72 libldap-2.5-0 libpam0g libsystemd0 libxml2 libgssapi-krb5-2 liblz4-1 libzstd1 libuuid1
    libselinux1 libxslt1.1 tzdata"
test="clang-format clang-tidy awscli s3cmd rclone curl procps python3 git sqlite3 faketime tmux"
npm="npm"
bench="awscli pgcopydb isal curl openssl postgresql-client-15 python3 procps"
browser="chromium fonts-dejavu-core"
# What the programs of the unpacked object stores load: libraries and Python modules, no daemon among them. Of
# Swift the modules are all that is needed (tests/support/swift.lua).
servers="openssl librgw2 libaio1 libsnappy1v5 libleveldb1d libpmem1 librdmacm1 libfuse2 libgoogle-perftools4 liboath0
    libboost-iostreams1.74.0 libboost-filesystem1.74.0 libboost-program-options1.74.0 libwrap0 libevent-2.1-7
    libsasl2-2 python3-rados python3-ceph-argparse python3-ceph-common python3-prettytable
    python3-swift libc-ares2"
stores="ceph-base ceph-mon ceph-osd ceph-common radosgw stunnel4 memcached"
pooler="pgbouncer"

if [ "$(id -u)" = 0 ]; then
    as_root=""
else
    as_root="sudo"
fi

missing() { # PACKAGE...
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

check_root() { # PACKAGE...
    if [ -n "$as_root" ] && ! command -v sudo >/dev/null; then
        echo "bootstrap: these packages are missing, and this is neither root nor is there a sudo: $*" >&2
        exit 1
    fi
}

update_once() {
    [ -n "${updated:-}" ] || $as_root apt-get update -qq
    updated=yes
}

install() { # PACKAGE...
    check_root "$@"
    echo "installing packages: $*" >&2
    update_once
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Where the sandbox looks for a server that was unpacked (lua/pgorch/sandbox/postgres/binaries.lua), and the tests for
# the object stores (tests/support/unpacked.lua). As root the servers run as an unprivileged user, who cannot read a
# clone in /root.
unpacked_folder() { # NAME
    if [ "$(id -u)" = 0 ]; then
        echo "/var/cache/pgorch/$1"
    else
        echo "$PWD/build/deps/$1"
    fi
}

unpack() { # FOLDER PACKAGE...
    folder=$1
    shift
    check_root "$@"
    update_once
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    # As root it always warns that it reads as root: what it says counts only when it fails.
    (cd "$work" && apt-get download -qq "$@" 2>said) || {
        cat "$work/said" >&2
        exit 1
    }
    mkdir -p "$folder"
    for package in "$work"/*.deb; do
        dpkg-deb -x "$package" "$folder"
    done
    chmod -R a+rX "$(dirname "$folder")"
    rm -rf "$work"
}

have_server() {
    for bin in "${PGORCH_POSTGRES:-/nonexistent}" /usr/lib/postgresql/*/bin \
        "$(unpacked_folder postgresql)"/usr/lib/postgresql/*/bin; do
        [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] && [ -x "$bin/psql" ] && return 0
    done
    return 1
}

unpack_server() {
    # shellcheck disable=SC2086
    libraries=$(missing $server_libraries)
    # shellcheck disable=SC2086
    [ -z "$libraries" ] || install $libraries
    folder=$(unpacked_folder postgresql)
    echo "unpacking the PostgreSQL server into $folder" >&2
    unpack "$folder" postgresql-15 postgresql-client-15
}

# The last word of what an earlier call unpacked: a download that broke off leaves no `complete`.
unpack_once() { # NAME PACKAGES
    folder=$(unpacked_folder "$1")
    [ "$(cat "$folder/complete" 2>/dev/null)" = "$2" ] && return
    echo "unpacking into $folder: $2" >&2
    rm -rf "$folder"
    # shellcheck disable=SC2086
    unpack "$folder" $2
    echo "$2" >"$folder/complete"
}

cd "$(dirname "$0")/.."
wanted=""
for set in "$@"; do
    case "$set" in
    build) wanted="$wanted $build" ;;
    sandbox) wanted="$wanted $sandbox" ;;
    test) wanted="$wanted $test" ;;
    servers) wanted="$wanted $servers" ;;
    npm) wanted="$wanted $npm" ;;
    bench) wanted="$wanted $bench" ;;
    browser) wanted="$wanted $browser" ;;
    *)
        echo "usage: vendor/debian.sh build|sandbox|test|browser|servers|bench|npm ..." >&2
        exit 2
        ;;
    esac
done
# shellcheck disable=SC2086
needed=$(missing $wanted)
# shellcheck disable=SC2086
[ -z "$needed" ] || install $needed
case " $* " in
*" sandbox "*) have_server || unpack_server ;;
esac
case " $* " in
*" servers "*)
    unpack_once servers "$stores"
    unpack_once pooler "$pooler"
    ;;
esac
