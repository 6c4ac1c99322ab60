"""What the figures share: the programs, the databases, where files go, and the lines that are typed more than once."""
import glob
import os
import shutil
import subprocess

from harness import cluster, measure, started

REPOSITORY = os.path.dirname(os.path.dirname(cluster.HERE))
# What pgorch dump asks of pg_dump, so that both write the same.
DUMP = ("-b --no-acl --no-owner --no-publications --no-subscriptions --no-security-labels --no-tablespaces "
        "--quote-all-identifiers")


def cache_folder():
    """Where databases are kept. As root an unprivileged server must be able to read it."""
    if os.geteuid() == 0:
        return "/var/cache/pgorch/bench"
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pgorch/bench")


def client(name):
    """The program itself: Debian's /usr/bin/pg_dump is a script before it."""
    beside = os.path.join(cluster.bin_folder(), name)
    debian = f"/usr/lib/postgresql/{cluster.bin_folder().split('/')[-2]}/bin/{name}"
    return next((each for each in (beside, debian) if os.path.exists(each)), name)


def pgorch_program():
    return os.environ.get("PGORCH") or REPOSITORY + "/build/release/pgorch"


def copied(program, folder):
    """A copy of pgorch with its library, for others may build while it is measured. It looks for servers in ../deps,
    which stays where it is."""
    home, made = os.path.dirname(os.path.realpath(program)), folder + "/bin/"
    os.makedirs(made)
    beside = glob.glob(home + "/libpgorch.so*") + glob.glob(home + "/../lib/libpgorch.so*")
    for each in beside + glob.glob(home + "/pgorch-exec"):
        shutil.copy2(each, made)
    if os.path.isdir(home + "/../deps"):
        os.symlink(os.path.realpath(home + "/../deps"), folder + "/deps")
    return shutil.copy2(program, made + "pgorch")


class Bench:
    """Databases are started when the first figure asks for them, and serve all that come after it."""

    def __init__(self, options, say):
        self.size_mb, self.pairs, self.say = options.size, options.pairs, say
        self.cache, self.folder = os.path.abspath(options.cache), started.folder()
        self.pgorch = copied(options.pgorch, self.folder)
        self.pg_dump, self.pg_restore, self.psql = client("pg_dump"), client("pg_restore"), client("psql")
        self.jobs = os.cpu_count()
        self.peaks = []                # (bytes, what) of every pgorch that was measured
        self._source = self._target = None
        self.text_bytes = 0            # of an uncompressed dump
        self.target_holds = None

    @property
    def parts(self):
        return max(1, round(self.size_mb / cluster.PART_MB))

    @property
    def source(self):
        if not self._source:
            self._source = cluster.source(self.cache, self.parts, self.folder + "/source", self.say)
            self.warm(self._source)
        return self._source

    @property
    def target(self):
        if not self._target:
            self._target = cluster.empty(self.folder + "/target")
        return self._target

    def warm(self, server, dbname=cluster.DBNAME):
        """Reads all once: nobody shall be the first. Sizes are told, and kept for the model."""
        told = subprocess.run(f"'{self.pg_dump}' -Fc -Z0 '{server.url(dbname)}' | wc -c", shell=True, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        self.text_bytes = self.text_bytes or int(told)
        size = int(server.sql("select pg_database_size(current_database())", dbname))
        version = server.sql("show server_version")
        self.say(f"source: {size / 1e6:.0f} MB on disk, {int(told) / 1e6:.0f} MB to dump, PostgreSQL {version}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def remove(self, *names):
        for name in names:
            path = self.path(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)

    def env(self, source_url=None, **more):
        """For pgorch and pgcopydb: the addresses, and a record of runs that nothing else reads."""
        state = self.path("state")
        return dict(os.environ, SOURCE_DATABASE_URL=source_url or self.source.url(), XDG_STATE_HOME=state,
                    PGORCH_STATE=f"sqlite:{state}.db", PGORCH_POLL_SCALE="0.05", **more)

    def shell(self, script, **options):
        """A typed line, with the servers' CPU beside its own."""
        return measure.shell(script, **self.usual(options))

    def run_pgorch(self, words, what, **options):
        """pgorch, and its peak of memory kept for that figure."""
        sample = measure.run([self.pgorch, *words], **self.usual(options))
        self.peaks.append((sample["own_peak"], what))
        return sample

    def usual(self, options):
        usual = dict(options)
        usual.setdefault("servers", self.servers())
        if "env" not in usual:         # which starts the source
            usual["env"] = self.env()
        return usual

    def servers(self):
        return [each.cpu for each in (self._source, self._target) if each]

    def dump(self, more="", dbname=None):
        """The pg_dump that one types; `more` has compression and the way out."""
        url = self.source.url(dbname) if dbname else self.source.url()
        return f"'{self.pg_dump}' -Fc {DUMP} {more} -d '{url}'"

    def fresh_target(self):
        self.target.recreate()
        self.target_holds = None

    def fill_target(self):
        """The target holds what the source does."""
        if self.target_holds == "the source":
            return
        self.fresh_target()
        self.shell(f"rm -rf '{self.path('fill')}'; '{self.pg_dump}' -Fd -Z0 -j{self.jobs} -f '{self.path('fill')}' "
                   f"'{self.source.url()}'; '{self.pg_restore}' -j{self.jobs} -d '{self.target.url()}' "
                   f"'{self.path('fill')}'")
        self.remove("fill")
        self.target.sql(["vacuum (freeze, analyze)", "checkpoint"])
        self.target_holds = "the source"

    def content_of(self, archive, in_order=True):
        """A digest of what pg_restore makes of an archive, but for the random lines that newer ones have. Not in order:
        of its lines, whatever order they are in."""
        ordered = "" if in_order else f" | LC_ALL=C sort -S 1G --parallel={self.jobs} -T '{self.path('.')}'"
        script = (f"'{self.pg_restore}' -f - '{self.path(archive)}' | grep -v '^.\\(un\\)\\?restrict '{ordered}"
                  " | sha256sum")
        return measure.shell(script)["output"].split()[0]

    def close(self):
        for each in (self._source, self._target):
            if each:
                each.close()


def sized(sample, path):
    """The sample with the size of the file that it wrote."""
    return dict(sample, bytes=os.path.getsize(path))
