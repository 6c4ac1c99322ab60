"""The pairs of upload.sh, run inside its sandbox: A is the pipe that one types by hand, B is `pgorch dump --to`."""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import measure

LIMIT = 900
BUCKET = "bench"
# What pgorch dump asks of pg_dump, so that both write the same archive.
DUMP = ["-Fc", "-b", "--no-acl", "--no-owner", "--no-publications", "--no-subscriptions", "--no-security-labels",
        "--no-tablespaces"]

endpoint = os.environ["AWS_ENDPOINT_URL"]
source = os.environ["SOURCE_DATABASE_URL"]
# Debian's, where there is one: another `aws` may come first in PATH.
aws_program = os.environ.get("AWS") or ("/usr/bin/aws" if os.path.exists("/usr/bin/aws") else "aws")


def aws(*words):
    return subprocess.run([aws_program, "--endpoint-url", endpoint, *words], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=LIMIT).stdout


def psql(sql):
    return subprocess.run(["psql", "-XAt", "-c", sql, source], check=True, text=True, stdout=subprocess.PIPE,
                          timeout=60).stdout.strip()


def programs():
    """The pg_dump that pgorch takes too; Debian's /usr/bin/pg_dump is a script around it."""
    major = int(psql("show server_version_num")) // 10000
    folder = f"/usr/lib/postgresql/{major}/bin"
    if os.path.exists(folder + "/pg_dump"):
        return folder + "/pg_dump", folder + "/pg_restore"
    return "pg_dump", "pg_restore"


def by_hand(pg_dump, key):
    script = 'set -o pipefail; "$0" "${@:4}" -d "$SOURCE_DATABASE_URL" | "$1" --endpoint-url "$2" s3 cp - "$3"'
    argv = ["bash", "-c", script, pg_dump, aws_program, endpoint, f"s3://{BUCKET}/{key}", *DUMP]
    return measure.run(argv, LIMIT, watched="pg_dump")


def by_pgorch(pgorch, key):
    return measure.run([pgorch, "dump", "--no-color", "--to", f"s3://{BUCKET}/{key}"], LIMIT,
                       watched="pg_dump")


def look_at(pg_restore, key, folder):
    """Size, SHA-256 and table of contents (without comments, which hold the date) of an object."""
    path = os.path.join(folder, "object")
    aws("s3", "cp", "--quiet", f"s3://{BUCKET}/{key}", path)
    size = os.path.getsize(path)
    digest = subprocess.run(["sha256sum", path], check=True, text=True, stdout=subprocess.PIPE).stdout.split()[0]
    listing = subprocess.run([pg_restore, "-l", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    os.remove(path)
    return size, digest, [line for line in listing.splitlines() if line and not line.startswith(";")]


def show(name, result, size):
    own = f"   pgorch alone {measure.mb(result['own_peak'])}" if name == "B" else ""
    print(f"  {name}  wall {result['wall']:7.2f} s   CPU {result['cpu']:7.2f} s   pg_dump ran {result['ran']:.2f} s, "
          f"waited for a core {result['queued']:.2f} s\n"
          f"     peak RSS of the tree {measure.mb(result['tree_peak'])}{own}"
          f"   object {size} bytes", flush=True)


def check(a, b, told):
    if a[2] != b[2]:
        sys.exit("the two archives do not list the same")
    if told != b[1]:
        sys.exit("the SHA-256 that pgorch says is not that of the object")


def pair(number, tools, pgorch, folder):
    pg_dump, pg_restore = tools
    keys = {"A": f"a{number}.dump", "B": f"b{number}.dump"}
    results, objects = {}, {}
    for name in ("A", "B") if number % 2 else ("B", "A"):     # whoever comes second finds the caches as warm
        results[name] = by_hand(pg_dump, keys[name]) if name == "A" else by_pgorch(pgorch, keys[name])
        if results[name]["status"] != 0:
            sys.exit(f"{name} failed with status {results[name]['status']}:\n{results[name]['output']}")
        results[name]["undisturbed"] = results[name]["wall"] - results[name]["queued"]
        objects[name] = look_at(pg_restore, keys[name], folder)
        show(name, results[name], objects[name][0])
        aws("s3", "rm", "--quiet", f"s3://{BUCKET}/{keys[name]}")
    told = re.search(r"sha256\s+(\w+)", results["B"]["output"])
    check(objects["A"], objects["B"], told and told.group(1))
    return results


def ratio(title, pairs, field):
    ratios = [each["B"][field] / each["A"][field] for each in pairs]
    print(f"  {title:28} B/A median {statistics.median(ratios):.3f}   ({min(ratios):.3f} - {max(ratios):.3f})")


def main():
    pgorch, count = sys.argv[1], int(sys.argv[2])
    tools = programs()
    size = int(psql("select pg_database_size(current_database())"))
    print(f"source {measure.mb(size)} on disk, {tools[0]}, {aws(*['--version']).strip()}", flush=True)
    print("A  pg_dump -Fc | aws s3 cp - s3://...      B  pgorch dump --to s3://...", flush=True)
    aws("s3", "mb", f"s3://{BUCKET}")
    folder, pairs = tempfile.mkdtemp(prefix="pgorch-bench-"), []
    try:
        for number in range(1, count + 1):
            print(f"pair {number}", flush=True)
            pairs.append(pair(number, tools, pgorch, folder))
    finally:
        shutil.rmtree(folder)
    print("ratios; the archives of each pair list the same")
    ratio("wall", pairs, "wall")
    ratio("wall less waits for a core", pairs, "undisturbed")
    ratio("CPU", pairs, "cpu")
    ratio("peak RSS of the tree", pairs, "tree_peak")


main()
