"""SIGTERM and SIGINT while the server is imported and opened, before it can be told of them.

No client is served by then, and what was begun on disk is recovered as after a crash.
"""

import os
import signal
from types import FrameType


class CannotServe(Exception):
    """Start-up failed; the text is one line that says what to do."""


def stop_with_status_0() -> None:
    """Until the server handles them itself, both signals end the process at once with status 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
