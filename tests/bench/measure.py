"""Runs one command and says what it took: wall time, CPU of the whole tree, peak memory of it and of the program alone.

CPU is user + system of the program and all that it has waited for (wait4): what servers do for it is not in it.
Memory is sampled from /proc ten times a second: of the tree, the sum of RSS (shared pages count in each process);
of the program alone its own high-water mark, which the kernel keeps.
Of one process of the tree, told by name, also how long it ran and how long it waited for a core: on a busy machine that
is what wall times differ by.
"""
import os
import signal
import subprocess
import threading
import time

INTERVAL = 0.1


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


def schedule(pid, name):
    """Seconds run and seconds waited for a core, if that is the process's name."""
    try:
        with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/schedstat") as file:
            if comm.read().strip() == name:
                ran, queued = file.read().split()[:2]
                return int(ran) / 1e9, int(queued) / 1e9
    except (OSError, ValueError):
        pass
    return None


class Sampler(threading.Thread):
    """Watches until told to stop; ends the command when its time is over."""

    def __init__(self, pid, limit, watched):
        super().__init__(daemon=True)
        self.pid, self.end, self.watched = pid, time.monotonic() + limit, watched
        self.tree_peak = self.own_peak = 0
        self.schedule = (0.0, 0.0)
        self.timed_out, self.over = False, threading.Event()

    def run(self):
        while not self.over.wait(INTERVAL):
            members = tree(self.pid)
            self.own_peak = max(self.own_peak, status_field(self.pid, "VmHWM"))
            self.tree_peak = max(self.tree_peak, sum(status_field(each, "VmRSS") for each in members))
            for each in members if self.watched else []:
                self.schedule = max(self.schedule, schedule(each, self.watched) or self.schedule)
            if time.monotonic() > self.end and not self.timed_out:
                self.timed_out = True
                os.killpg(self.pid, signal.SIGKILL)


def run(argv, limit, env=None, on_line=None, watched=None):
    """Returns a dict: status, wall, cpu (seconds), own_peak, tree_peak (bytes), output (text of both streams), and of
    the watched process ran and queued (seconds).

    on_line(seconds, text) is told of each line of standard output as it comes.
    """
    started = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
                             start_new_session=True)
    sampler = Sampler(child.pid, limit, watched)
    sampler.start()
    output = []
    for line in child.stdout:
        output.append(line)
        if on_line:
            on_line(time.monotonic() - started, line)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    sampler.over.set()
    sampler.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if sampler.timed_out:
        output.append(f"ended after its limit of {limit} s\n")
    return {"status": child.returncode, "wall": wall, "cpu": usage.ru_utime + usage.ru_stime,
            "own_peak": sampler.own_peak, "tree_peak": sampler.tree_peak, "output": "".join(output),
            "ran": sampler.schedule[0], "queued": sampler.schedule[1]}


def mb(count):
    return f"{count / 1e6:.1f} MB"
