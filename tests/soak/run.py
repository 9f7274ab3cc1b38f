"""Runs the crash, power, load, bad input and consistency tests at full length, for scripts/soak.

Each name gets a server of its own under var/soak, which stays when something is wrong. What was run
goes to docs/soak.md: one row a name, the newest run.
"""

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.soak import runs
from tests.support.run import Postgres, find_binaries

ROOT = Path(__file__).parents[2]
BASE = ROOT / "var" / "soak"
PAGE = ROOT / "docs" / "soak.md"
LONGEST = 45 * 60
HEAD = """# Long runs

`scripts/soak [NAME...]` runs the crash, power, load, bad input and consistency tests of
tests/system at full length and writes this page. Clients keep a ledger of everything the server
acknowledged; after each kill the restarted server is compared with it: nothing lost, nothing
doubled, no UID used twice, no flag or byte changed, queue complete. A row is the newest run of its
name; the seed repeats its choices.

| name | what | result | counts | seed | start (UTC) | duration | commit |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Soak:
    """`run` gets a folder, the seconds that it may take and the seed; returns its counts."""

    name: str
    what: str
    seconds: float
    run: Callable[[Path, float, int], str]

    @property
    def on_postgres(self) -> bool:
        return "PostgreSQL" in self.what


SOAKS = [
    Soak("crash", "SIGKILL at random under load, SQLite", 600, runs.crash),
    Soak("crash-postgresql", "SIGKILL at random under load, PostgreSQL", 600, runs.crash_postgres),
    Soak("steps", "SIGKILL right after each numbered step, many counts", 600, runs.steps),
    Soak("power", "power loss at random under load (ext4 shut down)", 600, runs.power),
    Soak("load", "all clients at work, no kills", 600, runs.load),
    Soak("fuzz", "mutated SMTP and IMAP conversations", runs.FUZZ_SECONDS, runs.fuzz),
    Soak(
        "consistency",
        "20 random IMAP clients, ten runs, kills in half, SQLite and PostgreSQL",
        600,
        runs.consistency,
    ),
    Soak("queue", "10,000 messages to a sink, SIGKILL at random five times", 600, runs.queue),
    Soak("pour", "100 SMTP sessions, 25 MiB each, while others read", 120, runs.pour),
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(s.name for s in SOAKS))
    parser.add_argument("--seconds", type=float, help=f"for each, at most {LONGEST}")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    unknown = set(options.names) - {soak.name for soak in SOAKS}
    if unknown:
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    chosen = [soak for soak in SOAKS if not options.names or soak.name in options.names]
    stop = _postgres() if any(soak.on_postgres for soak in chosen) else lambda: None
    try:
        return max([_one(soak, options.seconds or soak.seconds, options.seed) for soak in chosen])
    finally:
        stop()


def _postgres() -> Callable[[], None]:
    """Starts a server unless one is named; what ends it."""
    binaries = find_binaries()
    if "MAILSERVER_TEST_POSTGRES" in os.environ or binaries is None:
        return lambda: None
    server = Postgres(binaries)
    os.environ["MAILSERVER_TEST_POSTGRES"] = server.start()
    return server.stop


def _one(soak: Soak, seconds: float, seed: int) -> int:
    folder = BASE / soak.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = datetime.datetime.now(datetime.UTC)
    began = time.monotonic()
    print(f"{soak.name}: {soak.what}, seed {seed}", flush=True)
    status, result = 0, "ok"
    try:
        counts = soak.run(folder, min(seconds, LONGEST), seed)
        shutil.rmtree(folder, ignore_errors=True)
    except pytest.skip.Exception as skipped:
        print(f"{soak.name}: not run: {skipped.msg}", flush=True)
        return 0
    except Exception as error:
        traceback.print_exc()
        counts = " ".join(str(error).split())[:300].replace("|", "/")
        status, result = 1, "FAILED"
    took = time.monotonic() - began
    print(f"{soak.name}: {result}, {counts}, {took:.0f} s", flush=True)
    _enter(
        soak.name,
        [
            soak.what,
            result,
            counts,
            str(seed),
            f"{start:%Y-%m-%d %H:%M:%S}",
            f"{took:.0f} s",
            _commit(),
        ],
    )
    return status


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!docs/soak.md")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def _enter(name: str, columns: list[str]) -> None:
    """Replaces the row of this name."""
    rows: dict[str, str] = {}
    with suppress(FileNotFoundError):
        for line in PAGE.read_text("utf-8").splitlines():
            first = line.split("|")[1].strip() if line.startswith("| ") else ""
            if first in {soak.name for soak in SOAKS}:
                rows[first] = line
    rows[name] = "| " + " | ".join([name, *columns]) + " |"
    order = [soak.name for soak in SOAKS]
    PAGE.write_text(HEAD + "".join(f"{rows[key]}\n" for key in order if key in rows), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
