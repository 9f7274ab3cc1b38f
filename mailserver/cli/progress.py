"""Shows how far long work is: a bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY = 5.0


class ProgressPrinter:
    """A context manager whose `show` takes (done, total, what).

    Off a terminal short work has one line, its last: what fails at once says only why.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int, total: int, what: str) -> None:
        """`total` 0 means unknown."""
        if self._stream.isatty():
            self._show_bar(done, total, what)
        elif time.monotonic() - self._last >= LINE_EVERY or (total and done >= total):
            self._last = time.monotonic()
            share = f"{done} of {total}" if total else str(done)
            print(f"{what}: {share}", file=self._stream, flush=True)

    def _show_bar(self, done: int, total: int, what: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(file=self._stream), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(what, total=total or None)
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, description=what)
