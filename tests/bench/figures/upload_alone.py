"""A stream of 1 GB (and in smaller runs as much as the database) into Ceph RGW, a real object store, without a
database.

aws: `aws s3 cp -` from a pipe; its start is taken out. pgorch: its own upload of the same pipe. curl: the same bytes as
a multipart upload of 16 parts, four at a time, signed beforehand and not hashed: what the store can do.
"""
import os
import re
import subprocess
from contextlib import contextmanager

from harness.measure import Failed, shell
from harness.rounds import Contender, Figure, Ratio, part, wall
from harness.store import BUCKET, Ceph, without_start_up

TITLE = "Upload alone, to Ceph RGW"
SECONDS = 80
GOALS = "wall / aws s3 cp - <= 0.60"
PARTS, AT_ONCE = 16, 4

# The pipe is that of a child, as pg_dump's is.
UPLOAD = """
local bucket = require("pgorch.s3").from_environment {{}}:bucket "{bucket}"
local cat <close> = require("pgorch.process").spawn {{ "cat", "{data}", stdout = "stream" }}
bucket:upload("pgorch", cat.stdout)
cat:wait()
"""


def upload_id(store):
    """Begins a multipart upload."""
    begun = subprocess.run(["curl", "-sSf", "-X", "POST", store.signed("POST", "curl", {"uploads": ""})], check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"<UploadId>(.*?)</UploadId>", begun).group(1)


def curl_script(bench, store, pieces):
    """A shell line that puts all parts, some at a time, and completes the upload."""
    upload = upload_id(store)
    config = bench.path("curl.config")
    with open(config, "w") as file:
        for number, piece in enumerate(pieces, 1):
            address = store.signed("PUT", "curl", {"partNumber": str(number), "uploadId": upload})
            file.write(f'url = "{address}"\nupload-file = "{piece}"\noutput = "/dev/null"\n'
                       f'dump-header = "{piece}.head"\n' + ("next\n" if number < len(pieces) else ""))
    complete = store.signed("POST", "curl", {"uploadId": upload})
    tags = f"$(sed -n 's/^[Ee][Tt][Aa][Gg]: *//p' $f.head | tr -d '\\r')"
    body = (f"n=0; for f in {' '.join(pieces)}; do n=$((n+1)); "
            f"echo \"<Part><PartNumber>$n</PartNumber><ETag>{tags}</ETag></Part>\"; done")
    return (f"curl -sSf --no-progress-meter --parallel --parallel-max {AT_ONCE} -K '{config}'; "
            f"(echo '<CompleteMultipartUpload>'; {body}; echo '</CompleteMultipartUpload>') | "
            f"curl -sSf -X POST --data-binary @- -o /dev/null '{complete}'")


@contextmanager
def prepared(bench):
    count = min(1000, bench.size_mb) * 1000000
    data = bench.path("data")
    random = "openssl enc -aes-128-ctr -K 00 -iv 00 -nosalt -in /dev/zero 2>/dev/null"
    shell(f"{random} | head -c {count} >'{data}' || true")
    shell(f"split -n {PARTS} -d '{data}' '{data}.'")
    pieces = [f"{data}.{i:02}" for i in range(PARTS)]
    with Ceph(bench) as store:
        store.make_bucket()

        def stored(key, sample):
            if store.size(key) != count:
                raise Failed(f"the object has not the size of what was sent, {count}: {store.size(key)}")
            return dict(sample, bytes=count)

        def aws():
            start_up = store.start_up()
            words = " ".join(store.aws("s3", "cp", "--quiet", "-", f"s3://{BUCKET}/aws"))
            return without_start_up(stored("aws", shell(f"cat '{data}' | {words}", env=store.env)), start_up)

        def ours():
            script = UPLOAD.format(bucket=BUCKET, data=data)
            return stored("pgorch", bench.run_pgorch(["eval", script], "upload alone", env=store.env, servers=()))

        def curl():
            return stored("curl", shell(curl_script(bench, store, pieces), env=store.env))

        yield Figure([Contender("aws", "cat FILE | aws s3 cp - s3://...", aws, after=lambda: store.remove("aws")),
                      Contender("pgorch", "cat FILE | pgorch (its upload)", ours,
                                 after=lambda: store.remove("pgorch")),
                      Contender("curl", f"curl, {PARTS} parts, {AT_ONCE} at a time, signed before", curl,
                                 after=lambda: store.remove("curl"))],
                     [Ratio("wall pgorch / aws s3 cp -", wall("pgorch", "aws"), 0.60),
                      Ratio("wall pgorch / bare parallel curl", wall("pgorch", "curl")),
                      Ratio("wall curl / aws s3 cp -", wall("curl", "aws")),
                      Ratio("client CPU pgorch / aws s3 cp -", part("cpu", "pgorch", "aws"))],
                     notes=["Ceph keeps the bytes in memory, on the same cores."])
    bench.remove("data", "curl.config", *[os.path.basename(each) + end for each in pieces for end in ("", ".head")])
