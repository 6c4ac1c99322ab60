"""Runs one command and says what it took: wall time, CPU of its tree, CPU of the servers meanwhile, peak memory.

CPU is user + system of the program and of all that it has waited for (wait4); the servers' own is counted apart.
Memory is sampled from /proc twenty times a second: of the tree the sum of RSS (shared pages count in each process), of
the program alone its own high-water mark, which the kernel keeps.
"""
import os
import signal
import threading
import time

from harness import started

INTERVAL = 0.05
REAPED = 0.3                         # seconds until a server has waited for the backends of clients that are gone


class Failed(Exception):
    """A command did not do what it should: the figure is given up, and what it said is told."""


def status_field(pid, name):
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    return 0


def tree(pid):
    """The process and all that have come from it."""
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        found.append(each)
        try:
            for thread in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{thread}/children") as file:
                    todo += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def tree_cpu(pid):
    """Seconds that a tree has used, those of its members that have ended included."""
    ticks = 0
    for each in tree(pid):
        try:
            with open(f"/proc/{each}/stat") as file:
                ticks += sum(int(word) for word in file.read().rpartition(")")[2].split()[11:15])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


class Sampler(threading.Thread):
    """Watches until told to stop; ends the command when its time is over."""

    def __init__(self, pid, limit):
        super().__init__(daemon=True)
        self.pid, self.end = pid, time.monotonic() + limit
        self.tree_peak = self.own_peak = 0
        self.timed_out, self.over = False, threading.Event()

    def run(self):
        while not self.over.wait(INTERVAL):
            self.own_peak = max(self.own_peak, status_field(self.pid, "VmHWM"))
            self.tree_peak = max(self.tree_peak, sum(status_field(each, "VmRSS") for each in tree(self.pid)))
            if time.monotonic() > self.end and not self.timed_out:
                self.timed_out = True
                os.killpg(self.pid, signal.SIGKILL)


def run(argv, env=None, servers=(), limit=3600, ok=(0,), on_line=None, cwd=None):
    """A sample: {wall, cpu, server_cpu (seconds), own_peak, tree_peak (bytes), output (both streams)}.

    servers: functions that give the CPU seconds of a server. on_line(seconds, text) is told of each line as it comes.
    """
    time.sleep(REAPED if servers else 0)       # the backends of whoever came before
    before = [each() for each in servers]
    begun = time.monotonic()
    reading, writing = os.pipe()
    child = started.spawn(argv, stdout=writing, stderr=writing, env=env, cwd=cwd)
    os.close(writing)
    sampler = Sampler(child.pid, limit)
    sampler.start()
    output = []
    with open(reading, errors="replace") as lines:
        for line in lines:
            output.append(line)
            if on_line:
                on_line(time.monotonic() - begun, line)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - begun
    sampler.over.set()
    sampler.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    started.forget(child)
    time.sleep(REAPED if servers else 0)
    text = "".join(output)
    if sampler.timed_out or child.returncode not in ok:
        why = f"ended after its limit of {limit} s" if sampler.timed_out else f"status {child.returncode}"
        raise Failed(f"{' '.join(argv)[:200]}: {why}\n{text[-1500:]}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime,
            "server_cpu": sum(each() for each in servers) - sum(before),
            "own_peak": sampler.own_peak, "tree_peak": sampler.tree_peak, "output": text}


def shell(script, **options):
    """A line that one would type. Any of its commands that fails makes it fail. The shell's own peak is no figure."""
    return dict(run(["bash", "-c", "set -eo pipefail; " + script], **options), own_peak=0)


def after_each_other(*samples):
    """One sample of steps that came one after the other."""
    whole = {name: sum(each[name] for each in samples) for name in ("wall", "cpu", "server_cpu")}
    whole.update({name: max(each[name] for each in samples) for name in ("own_peak", "tree_peak")})
    whole["output"] = "".join(each["output"] for each in samples)
    return whole
