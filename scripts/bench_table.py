#!/usr/bin/env python3
"""Table of bench figures and ratios from criterion's output.

    cargo bench && scripts/bench_table.py [--json] [CRITERION_DIR]

A case is the last part of a bench id: in `hop/decode/binance_depth` it is `binance_depth`. What does
a hop's work is held against each `limit/...` (the floor measured in the same run) and each `rival/...`
that does the same work on the same case: parsers against parsers, books against books.

`best` is the fastest sample: on a machine with other load a median flatters whoever branches least,
so ratios are taken from best times. The median stands beside it to show how noisy the run was.
"""

import json
import pathlib
import sys


def read(root):
    """{id: (best ns, median ns)} of the newest run of each bench."""
    found = {}
    for described in sorted(root.glob("**/new/benchmark.json")):
        folder = described.parent
        try:
            name = json.loads(described.read_text())["full_id"]
            sample = json.loads((folder / "sample.json").read_text())
            median = json.loads((folder / "estimates.json").read_text())["median"]["point_estimate"]
            best = min(time / count for time, count in zip(sample["times"], sample["iters"]) if count)
        except (OSError, ValueError, KeyError) as error:
            print(f"bench_table: {folder}: skipped: {error!r}", file=sys.stderr)
            continue
        found[name] = (best, median)
    return found


PARSERS = {"avx2_pass", "memcpy", "serde_json", "simd_json_tape", "sonic_rs"}
BOOKS = {"btreemap", "sorted_vec"}

# What does the same work as a bench of ours, by all of its id but the case.
PEERS = {
    "hop/frame": {"memcpy"},
    "hop/decode": PARSERS,
    "decode/tier2": PARSERS,
    "hop/book": BOOKS,
    "hop/publish": BOOKS,
    "hop/encode": {"sha256", "sha512", "conventional"},
    "tick_to_order": {"conventional"},
}


def rows(found):
    """One row for each bench of ours, with the floors and rivals of its work and case."""
    for name, (best, median) in sorted(found.items()):
        work, _, case = name.rpartition("/")
        if not (work in PEERS or name.startswith("hop/")):
            continue
        against = []
        for other, (their_best, _) in sorted(found.items()):
            head, _, their_case = other.rpartition("/")
            if their_case != case or head.rpartition("/")[2] not in PEERS.get(work, ()):
                continue
            if other.startswith("limit/"):
                against.append((other, best / their_best, "of the floor"))
            elif other.startswith("rival/"):
                against.append((other, their_best / best, "faster"))
        yield {"id": name, "best_ns": best, "median_ns": median, "against": against}


def main(arguments):
    as_json = "--json" in arguments
    paths = [argument for argument in arguments if not argument.startswith("-")]
    if "--help" in arguments or "-h" in arguments:
        print(__doc__)
        return 0
    root = pathlib.Path(paths[0] if paths else "target/criterion")
    found = read(root)
    if not found:
        print(f"bench_table: {root}: no criterion output; run `cargo bench` first", file=sys.stderr)
        return 1
    table = list(rows(found))
    if as_json:
        print(json.dumps(table, indent=1))
        return 0
    width = max([len("bench")] + [len(row["id"]) for row in table] + [len(name) for name in found])
    print(f"{'bench':<{width}}  {'best':>12}  {'median':>12}  against")
    for row in table:
        against = [f"{ratio:.2f}x {what} {name}" for name, ratio, what in row["against"]] or [""]
        print(f"{row['id']:<{width}}  {row['best_ns']:>9,.1f} ns  {row['median_ns']:>9,.1f} ns  {against[0]}".rstrip())
        for line in against[1:]:
            print(f"{'':<{width + 28}}  {line}")
    shown = {row["id"] for row in table}
    for name in sorted(set(found) - shown):
        best, median = found[name]
        print(f"{name:<{width}}  {best:>9,.1f} ns  {median:>9,.1f} ns")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
