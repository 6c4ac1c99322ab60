"""What the benchmark has started, and what it has made on the disk: all of it goes with the benchmark, however that
ends.

Owns no processes of anybody else: only what was given to `keep` is ended, by its id. When the benchmark is killed, the
kernel ends its children (their death signal), and the next one sweeps the folder.
"""
import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile

PREFIX = "pgorch-bench-"
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)
children, folders = [], []


def dies_with_us():
    """For preexec_fn: the child gets SIGTERM when the benchmark is gone."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(argv, **options):
    """Starts a program in a session of its own, which is ended with the benchmark."""
    return keep(subprocess.Popen(argv, start_new_session=True, preexec_fn=dies_with_us, **options))


def keep(child):
    children.append(child)
    return child


def forget(child):
    if child in children:
        children.remove(child)


def end(child, how=signal.SIGTERM, seconds=30):
    """Asks it to end, waits, and ends its session by force when that did not help."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    forget(child)


def folder():
    """A folder that is removed at the end. The servers' user must be able to pass through it."""
    made = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    os.chmod(made, 0o711)
    folders.append(made)
    return made


def sweep():
    """Removes what killed benchmarks left."""
    base = tempfile.gettempdir()
    for name in os.listdir(base):
        owner = name[len(PREFIX):].split("-")[0] if name.startswith(PREFIX) else ""
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)


def end_all():
    for child in reversed(list(children)):
        end(child, signal.SIGQUIT if "postgres" in str(child.args[0]) else signal.SIGTERM, 10)
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)


def on_signal(number, _frame):
    sys.exit(128 + number)


def watch():
    """To be called once, before anything is started."""
    sweep()
    atexit.register(end_all)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
