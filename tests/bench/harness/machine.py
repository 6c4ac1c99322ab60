"""The machine and the programs, as a reader of the results has to know them."""
import datetime
import os
import platform
import subprocess


def said(argv):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return (done.stdout.strip().splitlines() or ["?"])[0]
    except OSError:
        return "not there"


def processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or "?"


def describe(bench):
    from harness.store import AWS
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"cores": os.cpu_count(), "processor": processor(), "memory_gb": round(memory / (1 << 30)),
            "kernel": platform.release(), "load_at_start": os.getloadavg()[0],
            "date": datetime.date.today().isoformat(), "pgorch": said([bench.pgorch, "--version"]),
            "pg_dump": said([bench.pg_dump, "--version"]), "pgcopydb": said(["pgcopydb", "--version"]),
            "aws": said([AWS, "--version"]), "curl": said(["curl", "--version"])}
