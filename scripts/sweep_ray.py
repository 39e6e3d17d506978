#!/usr/bin/env python3
"""Run a sweep's backtests on a Ray cluster.

    scripts/sweep_ray.py [--xarb PROGRAM] [--address ADDRESS] -- SWEEP ARGUMENTS

    scripts/sweep_ray.py -- -c my.toml --grid detect.min_edge_bps=1,2,3 --split 70 monday.mcap
    scripts/sweep_ray.py --address auto -- -c /shared/my.toml --grid ... -o /shared/sweep /shared/monday.mcap

The arguments behind -- are those of `xarb sweep`. Each backtest that `xarb sweep --list` names and that
is not finished runs as one Ray task of one core; this script writes its result into the sweep's
folder, under a temporary name first. At the end `xarb sweep` itself makes the table and the page from
them; what failed here it runs once more, on this machine, and names it.

Without --xarb it is the `xarb` on the PATH (`cargo install --locked --path .` puts it there), on a cluster
on that of every machine.

Without --address Ray is started on this machine alone. On a cluster every machine must see the program
and the captures under the same paths. Needs `pip install ray`; `xarb sweep` alone needs nothing and uses
all cores of one machine.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys


def backtest(command, folder):
    """Runs one command; its exit code, the last of its stdout and of its stderr."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr.strip().rpartition("\n")[2]


def keep(shard, code, stdout):
    """Writes a finished backtest's file as `xarb sweep` does; what was wrong, or None."""
    try:
        report = json.loads(stdout)
        report["funnel"]["parts"]
    except (ValueError, KeyError, TypeError):
        return f"exit code {code}, and no report"
    file = pathlib.Path(shard["file"])
    fresh = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    fresh.write_text(json.dumps({"fingerprint": shard["fingerprint"], "exit": code, "report": report}))
    fresh.replace(file)
    return None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--xarb", default="xarb", help="the program [default: xarb on the PATH]")
    parser.add_argument("--address", help="a running cluster's, such as auto or ray://HOST:10001")
    parser.add_argument("sweep", nargs="+", metavar="SWEEP ARGUMENT", help="as for `xarb sweep`")
    args = parser.parse_args()
    try:
        import ray
    except ImportError:
        print(
            "sweep_ray: Ray is not installed here (pip install ray). The same sweep on this machine's cores:\n"
            f"  {args.xarb} sweep {' '.join(args.sweep)}",
            file=sys.stderr,
        )
        return 1

    try:
        listed = subprocess.run([args.xarb, "sweep", "--list", *args.sweep], stdout=subprocess.PIPE, text=True)
    except OSError as error:
        print(f"sweep_ray: {args.xarb}: {error.strerror}; where is it? (--xarb PROGRAM)", file=sys.stderr)
        return 1
    if listed.returncode:
        return listed.returncode
    todo = [shard for shard in json.loads(listed.stdout)["shards"] if not shard["done"]]

    ray.init(address=args.address, log_to_driver=False, include_dashboard=False if not args.address else None)
    # A backtest that was lost with its machine may run again: it sends nothing anywhere.
    task = ray.remote(num_cpus=1)(backtest)
    running = {task.remote(shard["command"], os.getcwd()): shard for shard in todo}
    finished = 0
    while running:
        done, _ = ray.wait(list(running), num_returns=1)
        shard = running.pop(done[0])
        finished += 1
        try:
            code, stdout, said = ray.get(done[0])
            wrong = keep(shard, code, stdout)
        except ray.exceptions.RayError as error:
            wrong, said = "lost", str(error)
        print(f"{finished}/{len(todo)} {shard['name']}{': ' + wrong + ': ' + said if wrong else ''}", file=sys.stderr)
    ray.shutdown()
    return subprocess.run([args.xarb, "sweep", *args.sweep]).returncode


if __name__ == "__main__":
    sys.exit(main())
