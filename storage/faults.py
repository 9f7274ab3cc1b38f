"""Fault points for the crash tests: the process kills itself right after a numbered step.

`MAILSERVER_CRASH_AT=step[:count[:file]]`, read once at import: SIGKILL when `step` is reached for
the `count`-th time; with `file` only times count at which that file exists, so that a start's own
jobs can be left out. Steps as in the delivery table: 0 accepted, 1 rendered, 2 files written, 3
durable, 4 committed, 5 published, 6 answered. Without the variable `reached` costs one comparison.
"""

import os
import signal

_spec = os.environ.get("MAILSERVER_CRASH_AT", "")
_first, _, _rest = _spec.partition(":")
_count, _, _armed = _rest.partition(":")
_step = int(_first) if _spec else -1
_left = int(_count or 1)


def armed() -> bool:
    """Whether this process is to die at some step."""
    return _step >= 0


def reached(step: int) -> None:
    """Dies here when this is the step and the count asked for."""
    if step == _step and (not _armed or os.path.exists(_armed)):  # noqa: PTH110
        _count_down()


def _count_down() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
