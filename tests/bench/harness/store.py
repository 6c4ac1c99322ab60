"""Object storage for the benchmark: pgorch's sandbox (the S3 stand-in, Heroku's, a target), Ceph RGW, a link before
either; and addresses signed for curl, by AWS Signature Version 4 of this file's own.
"""
import datetime
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import urllib.parse

from harness import measure, started

HERE = os.path.dirname(os.path.abspath(__file__))
# Debian's, where there is one: another `aws` may come first in PATH.
AWS = os.environ.get("AWS") or ("/usr/bin/aws" if os.path.exists("/usr/bin/aws") else "aws")
BUCKET = "bench"
# A careful person's settings: more requests at once than 10 gain nothing on two cores, larger parts cost less.
AWS_CONFIG = "[default]\ns3 =\n  multipart_chunksize = 16MB\n  max_concurrent_requests = 10\n"
start_ups = []                       # seconds of each start of the AWS CLI that did next to nothing
SHOW_ENVIRONMENT = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


def said_into(path):
    """For spawn: standard output is read here, what it complains of goes into a file."""
    return {"stdout": subprocess.PIPE, "stderr": open(path, "w"), "text": True}


def first_line(child, path):
    line = child.stdout.readline()
    if not line:
        with open(path) as file:
            raise measure.Failed("it does not start: " + file.read()[-1500:])
    return line


class World:
    """`pgorch sandbox` before the benchmark's source, for as long as the `with` lasts. `env` is what a command in it sees."""

    def __init__(self, bench):
        self.bench = bench

    def __enter__(self):
        env = dict(os.environ, BENCH_SOURCE=self.bench.source.url())
        self.child = started.spawn([self.bench.pgorch, "sandbox", "--source-url-env", "BENCH_SOURCE", "--",
                                    sys.executable, "-c", SHOW_ENVIRONMENT], stdin=subprocess.PIPE, env=env,
                                   **said_into(self.bench.path("sandbox.log")))
        line = first_line(self.child, self.bench.path("sandbox.log"))
        self.env = dict(json.loads(line), AWS_CONFIG_FILE=config_file(self.bench.folder), PGORCH_POLL_SCALE="0.05")
        self.store = Store(self.env["AWS_ENDPOINT_URL"], self.env)
        return self

    def cpu(self):
        """Of the sandbox: stand-ins, restores, and the target's server."""
        return measure.tree_cpu(self.child.pid)

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            pass
        started.end(self.child)


class Link:
    """A link of limited speed before a store."""

    def __init__(self, store, mib_per_second):
        self.store, self.rate = store, mib_per_second * (1 << 20)

    def __enter__(self):
        port = urllib.parse.urlsplit(self.store.url).port
        self.child = started.spawn([sys.executable, os.path.join(HERE, "link.py"), str(port), str(self.rate)],
                                   stdout=subprocess.PIPE, text=True)
        return Store(f"http://127.0.0.1:{int(self.child.stdout.readline())}", self.store.env)

    def __exit__(self, *_):
        started.end(self.child)


class Ceph:
    """Ceph RGW as the tests start it (tests/support/ceph.lua), in a pgorch of its own."""

    def __init__(self, bench):
        self.bench = bench

    def __enter__(self):
        with open(os.path.join(HERE, "ceph.lua")) as file:
            script = file.read()
        self.child = started.spawn([self.bench.pgorch, "eval", script], cwd=os.path.join(HERE, "../../.."),
                                   **said_into(self.bench.path("ceph.log")))
        made = json.loads(first_line(self.child, self.bench.path("ceph.log")))
        env = dict(os.environ, AWS_ENDPOINT_URL=made["url"], AWS_ACCESS_KEY_ID=made["key"],
                   AWS_SECRET_ACCESS_KEY=made["secret"], AWS_DEFAULT_REGION="us-east-1",
                   AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=config_file(self.bench.folder))
        return Store(made["url"], env)

    def __exit__(self, *_):
        started.end(self.child)


class Store:
    """An S3 endpoint with its keys, and a bucket of the benchmark's in it."""

    def __init__(self, url, env):
        self.url, self.env = url, dict(env, AWS_ENDPOINT_URL=url)

    def aws(self, *words):
        """The command line of the AWS CLI."""
        return [AWS, "--endpoint-url", self.url, *words]

    def do(self, *words):
        return subprocess.run(self.aws(*words), check=True, env=self.env, stdout=subprocess.PIPE, text=True).stdout

    def make_bucket(self):
        self.do("s3", "mb", f"s3://{BUCKET}")

    def remove(self, key):
        subprocess.run(self.aws("s3", "rm", "--quiet", f"s3://{BUCKET}/{key}"), check=False, env=self.env)

    def size(self, key):
        told = json.loads(self.do("s3api", "head-object", "--bucket", BUCKET, "--key", key))
        return told["ContentLength"]

    def start_up(self):
        """Seconds that the AWS CLI needs for anything at all: an empty file, the least of all that were taken. On a busy
        machine it takes longer, but nothing is taken out that may belong to the upload."""
        empty = os.path.join(os.path.dirname(self.env["AWS_CONFIG_FILE"]), "empty")
        open(empty, "w").close()
        for _ in range(2):
            begun = time.monotonic()
            self.do("s3", "cp", "--quiet", empty, f"s3://{BUCKET}/empty")
            start_ups.append(time.monotonic() - begun)
        return min(start_ups)

    def signed(self, method, key, query=None):
        """A signed address of an object, for an hour."""
        now = datetime.datetime.now(datetime.timezone.utc)
        day, moment, host = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ"), self.url.split("//")[1]
        scope = f"{day}/{self.env['AWS_DEFAULT_REGION']}/s3/aws4_request"
        path = f"/{BUCKET}/" + urllib.parse.quote(key)
        fields = dict(query or {}, **{"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Date": moment,
                                      "X-Amz-Credential": f"{self.env['AWS_ACCESS_KEY_ID']}/{scope}",
                                      "X-Amz-Expires": "3600", "X-Amz-SignedHeaders": "host"})
        words = urllib.parse.urlencode(sorted(fields.items()), quote_via=urllib.parse.quote, safe="")
        request = "\n".join([method, path, words, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
        secret = ("AWS4" + self.env["AWS_SECRET_ACCESS_KEY"]).encode()
        for word in (day, self.env["AWS_DEFAULT_REGION"], "s3", "aws4_request"):
            secret = hmac.new(secret, word.encode(), hashlib.sha256).digest()
        signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        return f"{self.url}{path}?{words}&X-Amz-Signature={signature}"


def config_file(folder):
    path = os.path.join(folder, "aws-config")
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write(AWS_CONFIG)
    return path


def without_start_up(sample, seconds):
    """The sample without the time that the AWS CLI takes to start, which is told apart."""
    return dict(sample, wall=sample["wall"] - seconds, raw_wall=sample["wall"], start_up=seconds)
