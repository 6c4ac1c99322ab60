"""PostgreSQL servers of the benchmark's own, on loopback: the source, a copy of one that is kept in the cache, and an
empty target. fsync is off and autovacuum too: disks and chance are not what is measured. As root they run as
`postgres`.
"""
import glob
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from harness import started

USER, DBNAME = "bench", "shop"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SQL = os.path.join(HERE, "database.sql")
PART_MB = 15                         # what one part of database.sql takes on the disk
SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off", "jit": "off",
            "max_wal_size": "8GB", "checkpoint_timeout": "1h", "max_connections": "100", "lc_messages": "C",
            "listen_addresses": "127.0.0.1", "max_locks_per_transaction": "1024"}
LOADING = {"wal_level": "minimal", "max_wal_senders": "0"}
CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


def bin_folder():
    """The server that pg_dump's own version fits best: the newest that Debian has, or the one that bootstrap unpacked."""
    if os.environ.get("PGORCH_POSTGRES"):
        return os.environ["PGORCH_POSTGRES"]
    roots = ("/usr/lib/postgresql", "/var/cache/pgorch/postgresql/usr/lib/postgresql",
             os.path.join(HERE, "../../build/deps/postgresql/usr/lib/postgresql"))
    for root in roots:
        found = [each for each in glob.glob(root + "/*/bin") if os.path.exists(each + "/postgres")]
        if found:
            return max(found, key=lambda each: int(each.split("/")[-2]))
    raise RuntimeError("there is no PostgreSQL server: ./bootstrap build, or set PGORCH_POSTGRES")


def shared_buffers():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{min(4096, pages // (1 << 20) // 6)}MB"


def owner():
    """Whom servers run as: (uid, gid), or None when that is the caller."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
        except KeyError:
            pass
    raise RuntimeError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def as_owner(argv):
    ids = owner()
    if not ids:
        return argv
    return ["setpriv", f"--reuid={ids[0]}", f"--regid={ids[1]}", "--clear-groups", "--pdeathsig=QUIT", *argv]


def own_folder(path):
    os.makedirs(path, exist_ok=True)
    if owner():
        os.chown(path, *owner())
    os.chmod(path, 0o700)
    return path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """A server that runs on `folder`/data."""

    def __init__(self, folder, settings=None):
        self.bin, self.folder, self.port = bin_folder(), folder, free_port()
        self.log_path = folder + "/server.log"
        options = dict(SETTINGS, shared_buffers=shared_buffers(), **(settings or {}))
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with open(self.log_path, "ab") as log:
            self.child = started.spawn(as_owner([self.bin + "/postgres", "-D", folder + "/data", "-p", str(self.port),
                                                 "-k", folder, *words]), stdout=log, stderr=log, env=CLEAN, cwd="/")
        self.wait()

    def wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.child.poll() is None:
            if subprocess.run([self.bin + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              check=False).returncode == 0:
                return
            time.sleep(0.1)
        with open(self.log_path, errors="replace") as log:
            raise RuntimeError("a server does not start: " + log.read()[-2000:])

    def url(self, dbname=DBNAME):
        return f"postgres://{USER}:{USER}@127.0.0.1:{self.port}/{dbname}?sslmode=disable"

    def sql(self, text, dbname=DBNAME):
        """Runs statements one by one, and gives what they print."""
        words = [word for each in ([text] if isinstance(text, str) else text) for word in ("-c", each)]
        done = subprocess.run([self.bin + "/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(dbname), *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def recreate(self, dbname=DBNAME):
        """An empty database, and nothing left to be written by a checkpoint."""
        self.sql([f'drop database if exists "{dbname}" with (force)', f'create database "{dbname}"', "checkpoint"],
                 "postgres")

    def cpu(self):
        """Seconds of user and system time of the server and of every backend that has ended."""
        with open(f"/proc/{self.child.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def close(self, how=signal.SIGQUIT):
        started.end(self.child, how)


def initdb(folder):
    own_folder(folder)
    subprocess.run(as_owner([bin_folder() + "/initdb", "-D", folder + "/data", "-U", USER, "-E", "UTF8",
                             "--locale=C.UTF-8", "--no-sync", "-A", "trust"]), check=True, env=CLEAN, cwd="/",
                   stdout=subprocess.DEVNULL)


def load(cluster, parts):
    """Both halves of database.sql at once."""
    cluster.sql(f"create database {DBNAME}", "postgres")
    halves = [started.spawn([cluster.bin + "/psql", "-Xq", "-v", f"parts={parts}", "-v", f"half={half}", "-f", SQL,
                             cluster.url()], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
              for half in ("accounts", "rest")]
    for each in halves:
        said = each.communicate()[1]
        started.forget(each)
        if each.returncode != 0:
            raise RuntimeError("the database could not be made: " + said)
    cluster.sql(["vacuum (freeze, analyze)", "checkpoint"])


def cached(cache, parts, say):
    """The folder of the data directory of that size; made when it is not there."""
    with open(SQL, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:12]
    major = bin_folder().split("/")[-2]
    entry = os.path.join(cache, f"pg{major}-parts{parts}-{digest}")
    if os.path.exists(entry):
        return entry
    say(f"making the database ({parts * PART_MB} MB, kept in {entry}) ...")
    os.makedirs(cache, exist_ok=True)
    os.chmod(cache, 0o755)
    fresh = f"{entry}.new-{os.getpid()}"
    try:
        initdb(fresh)
        cluster = Cluster(fresh, LOADING)
        load(cluster, parts)
        cluster.close(signal.SIGINT)
        if not os.path.exists(entry):  # another benchmark may have been faster
            os.rename(fresh, entry)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return entry


def source(cache, parts, folder, say):
    """A running copy of the cached cluster: what a benchmark does to it, the next one does not see."""
    entry = cached(cache, parts, say)
    own_folder(folder)
    subprocess.run(["cp", "-a", "--reflink=auto", entry + "/data", folder + "/data"], check=True)
    return Cluster(folder)


def empty(folder):
    initdb(folder)
    return Cluster(folder)
