"""The server with a watchdog on its event loop: how long was it blocked, and by what.

    python tests/support/watched.py --config FILE serve

Every 5 ms the loop is asked for a sign of life from another thread. A wait above 20 ms is kept with
the processor time that the loop's thread used in it (what a busy machine adds is not in that) and
with what the thread was doing. At the end one log line tells: {"event":"loop", ...}.
"""

import asyncio
import json
import os
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

from mailserver.cli.main import run
from mailserver.serve import Server

EVERY = 0.005
KEPT = 0.02


class Watchdog:
    """Watches one loop from a thread of its own."""

    def __init__(self, loop: Any, ident: int) -> None:
        self._loop, self._ident = loop, ident
        self._clock = time.pthread_getcpuclockid(ident)
        self.beats = 0
        self.worst: list[tuple[float, float, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(EVERY):
            alive = threading.Event()
            began, used = time.perf_counter(), time.clock_gettime(self._clock)
            try:
                self._loop.call_soon_threadsafe(alive.set)
            except RuntimeError:
                return
            stacks: list[str] = []
            while not alive.wait(KEPT):
                if self._stop.is_set():
                    return
                if len(stacks) < 10:
                    stacks.append(_where(sys._current_frames().get(self._ident)))
            self.beats += 1
            waited = time.perf_counter() - began
            if waited > KEPT:
                cpu = time.clock_gettime(self._clock) - used
                self.worst.append((waited, cpu, max(stacks, key=stacks.count, default="")))
                self.worst = sorted(self.worst, reverse=True)[:20]

    def finish(self) -> dict[str, object]:
        """Stops; the figures in milliseconds."""
        self._stop.set()
        self._thread.join(5)
        worst = [
            {"wall": round(wall * 1000, 1), "cpu": round(cpu * 1000, 1), "where": where}
            for wall, cpu, where in self.worst
        ]
        return {"level": "info", "event": "loop", "beats": self.beats, "worst": worst}


def _where(frame: FrameType | None) -> str:
    """The innermost calls, the server's own among them."""
    stack = traceback.extract_stack(frame)
    calls = [f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in stack[-6:]]
    return " > ".join(calls)


def main() -> None:
    """Runs the command; the watch begins when the server is ready and ends when it stops."""
    watchdogs: list[Watchdog] = []
    start, stop = Server.start, Server.stop

    async def watched_start(server: Server) -> None:
        await start(server)
        watchdogs.append(Watchdog(asyncio.get_running_loop(), threading.get_ident()))

    async def watched_stop(server: Server) -> None:
        for watchdog in watchdogs:
            # One write: the log's own thread may write at the same time.
            line = json.dumps(watchdog.finish(), separators=(",", ":")) + "\n"
            os.write(sys.stderr.fileno(), line.encode())
        await stop(server)

    Server.start = watched_start  # type: ignore[method-assign, assignment]
    Server.stop = watched_stop  # type: ignore[method-assign, assignment]
    run()


if __name__ == "__main__":
    main()
