"""Runs the loads on both sides, interleaved, and prints a table of ratios; called by scripts/bench.

`scripts/bench NAME...` runs the rows whose name contains one of the words. Figures also go to
var/bench/results.json. Each figure is the median of five rounds,
but where a row says that it is run once.
"""

import fcntl
import json
import shutil
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import (
    authentication_rows,
    carddav_rows,
    connection_rows,
    contact_rows,
    dkim_rows,
    drive_rows,
    explain_rows,
    filter_rows,
    header_rows,
    hop_rows,
    imap_rows,
    jmap_large_rows,
    jmap_rows,
    judging_rows,
    login_storm_rows,
    mailbox_rows,
    push_rows,
    queue_rows,
    relay_rows,
    resync_rows,
    revocation_rows,
    search_rows,
    sieve_rows,
    smtp_rows,
    sort_rows,
    virus_rows,
)
from tests.bench.peers import TEMPLATES
from tests.bench.rows import Row
from tests.bench.sides import Ours, Side, Theirs

ROOT = Path(__file__).parents[2]
BASE = ROOT / "var" / "bench"
ROUNDS = 5
ROWS = [
    *smtp_rows.ROWS,
    *relay_rows.ROWS,
    *queue_rows.ROWS,
    *imap_rows.ROWS,
    *jmap_large_rows.ROWS,
    *header_rows.ROWS,
    *mailbox_rows.ROWS,
    *search_rows.ROWS,
    *jmap_rows.ROWS,
    *sort_rows.ROWS,
    *resync_rows.ROWS,
    *connection_rows.ROWS,
    *revocation_rows.ROWS,
    *dkim_rows.ROWS,
    *authentication_rows.ROWS,
    *virus_rows.ROWS,
    *smtp_rows.WHOLE_ROWS,
    *sieve_rows.ROWS,
    *explain_rows.ROWS,
    *filter_rows.ROWS,
    *judging_rows.ROWS,
    *login_storm_rows.ROWS,
    *drive_rows.ROWS,
    *hop_rows.ROWS,
    *push_rows.ROWS,
    *carddav_rows.ROWS,
    *contact_rows.ROWS,
]


class Bench:
    """Both servers, started once and again for the rows that want them fresh or otherwise."""

    def __init__(self) -> None:
        self._plain = (Ours(BASE / "ours"), Theirs(BASE / "peers"))
        self._whole: tuple[Ours, Theirs] | None = None
        self._running: tuple[Ours, Theirs] = self._plain
        self.sides: list[Side] = []

    def start(self, *, whole: bool = False) -> None:
        if whole and self._whole is None:
            self._whole = Ours(BASE / "whole", whole=True), Theirs(BASE / "whole-peers", whole=True)
        self._running = self._whole if whole and self._whole is not None else self._plain
        for server in self._running:  # one that does not come up leaves the others to be stopped
            self.sides.append(server.start())

    def stop(self) -> None:
        for server in self._running[: len(self.sides)]:
            server.stop()
        self.sides = []

    def measure(self, row: Row) -> list[list[float]]:
        """Figures a side, rounds interleaved."""
        figures: list[list[float]] = [[], []]
        rounds = 1 if row.once else ROUNDS
        for number in range(rounds):
            if row.fresh or row.whole is not (self._running is self._whole):
                self.stop()
                self.start(whole=row.whole)
            for side, found in zip(self.sides, figures, strict=True):
                if row.prepare is not None and number == 0:
                    row.prepare(side)
                found.append(row.run(side))
            print(f"{row.name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        return figures


def target(row: Row) -> str:
    """The figure to reach, in words."""
    parts = []
    if row.at_least is not None:
        parts.append(f">= {row.at_least:g}x")
    if row.at_most is not None:
        parts.append(f"<= {row.at_most:g}x")
    if row.least is not None:
        parts.append(f">= {row.least:,g} {row.unit}")
    if row.limit is not None:
        parts.append(f"<= {row.limit:g} {row.unit}")
    return ", ".join(parts)


def main() -> int:
    words = sys.argv[1:]
    rows = [row for row in ROWS if not words or any(word in row.name for word in words)]
    BASE.mkdir(parents=True, exist_ok=True)
    lock = (BASE / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # two runs would measure each other, and share their folders
    for name in ("ours", "whole"):
        shutil.rmtree(BASE / name, ignore_errors=True)
    bench = Bench()
    results: list[dict[str, object]] = []
    failed = []
    try:
        bench.start()
        for row in rows:
            try:
                results.append(_result(row, *bench.measure(row)))
            except Exception:  # the other rows are measured all the same
                failed.append(row.name)
                traceback.print_exc()
                bench.stop()
                bench.start()
            _store(results)
    finally:
        bench.stop()
    _print(results)
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return 1 if failed else 0


def _store(results: Sequence[dict[str, object]]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    stored = {"commit": commit, "time": time.strftime("%FT%TZ", time.gmtime()), "rows": results}
    (BASE / "results.json").write_text(json.dumps(stored, indent=1))


def _result(row: Row, mine: list[float], other: list[float]) -> dict[str, object]:
    ours, theirs = statistics.median(mine), statistics.median(other)
    return {
        "name": row.name,
        "unit": row.unit,
        "ours": ours,
        "theirs": theirs,
        "ratio": ours / theirs if theirs else None,
        "target": target(row),
        "met": row.met(ours, theirs),
        "rounds": {"ours": mine, "theirs": other},
    }


def _print(results: Sequence[dict[str, object]]) -> None:
    console = Console(width=120)
    for path in sorted(path for path in TEMPLATES.rglob("*") if path.is_file()):
        console.print(f"[bold]{path.name}[/]", highlight=False)
        print(path.read_text())
    table = Table("load", "unit", "ours", "peer", "ratio", "to reach", "met")
    for row in results:
        ratio = row["ratio"]
        table.add_row(
            str(row["name"]),
            str(row["unit"]),
            f"{row['ours']:.4g}",
            f"{row['theirs']:.4g}",
            f"{ratio:.3g}x" if isinstance(ratio, float) else "-",
            str(row["target"]),
            "yes" if row["met"] else "NO",
        )
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
