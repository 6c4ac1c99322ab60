#!/bin/sh
# Installs the providers' own API clients for the tests, from npm, into build/deps/provider-clients: Linode's
# @linode/api-v4 and Vultr's @vultr/vultr-node. Prints nothing when they are there already.
set -eu
cd "$(dirname "$0")/.."
linode=0.158.0 vultr=2.8.0
folder=$PWD/build/deps/provider-clients

if [ "$(cat "$folder/version" 2>/dev/null)" = "$linode $vultr" ]; then
    exit 0
fi
command -v npm >/dev/null || vendor/debian.sh npm
echo "installing the API clients of Linode ($linode) and Vultr ($vultr)" >&2
mkdir -p "$folder"
npm install --loglevel=error --no-fund --no-audit --ignore-scripts --prefix "$folder" \
    "@linode/api-v4@$linode" "@vultr/vultr-node@$vultr" >"$folder/npm.log" 2>&1 ||
    { tail -n 20 "$folder/npm.log" >&2; exit 1; }
echo "$linode $vultr" >"$folder/version"
