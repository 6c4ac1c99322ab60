"""The run of migration.sh, inside its sandbox."""
import json
import os
import shutil
import sys
import tempfile

import measure

LIMIT = 3600
RUN = ["run", "vultr", "--instance", "demo", "--app", "demo-app", "--plan", "essential-1", "--yes-cut-over", "--json"]


def main():
    state = tempfile.mkdtemp(prefix="pgorch-bench-")
    env = dict(os.environ, XDG_STATE_HOME=state, PGORCH_STATE=f"sqlite:{state}/state.db", PGORCH_POLL_SCALE="0.05")
    began, steps = {}, []

    def on_line(seconds, line):
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event.get("event") == "step_started":
            began[event["id"]] = seconds
        elif event.get("event") in ("step_done", "step_failed") and event.get("id") in began:
            steps.append((event["id"], seconds - began[event["id"]], event["event"], event.get("summary") or {}))

    try:
        result = measure.run([sys.argv[1], *RUN], LIMIT, env, on_line)
    finally:
        shutil.rmtree(state)
    for name, seconds, event, summary in steps:
        size = summary.get("bytes")
        more = f"   {measure.mb(size)}" if size else ""
        print(f"  {name:24} {seconds:8.2f} s{more}{'   FAILED' if event == 'step_failed' else ''}")
    print(f"wall {result['wall']:.2f} s   CPU {result['cpu']:.2f} s (pgorch and its children, not the servers)")
    print(f"peak RSS: pgorch alone {measure.mb(result['own_peak'])}, with its children "
          f"{measure.mb(result['tree_peak'])}")
    if result["status"] not in (0, 3):
        sys.exit(f"pgorch ended with status {result['status']}:\n{result['output'][-4000:]}")


main()
