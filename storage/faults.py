"""Fault points for the crash tests: the process kills itself right after a numbered step.

`MAILSERVER_CRASH_AT=step[:count]`, read once at import: SIGKILL when `step` is reached for the
`count`-th time. Steps as in the delivery table: 0 accepted, 1 rendered, 2 files written, 3 durable,
4 committed, 5 published, 6 answered. Without the variable `reached` costs one comparison.
"""

import os
import signal

_spec = os.environ.get("MAILSERVER_CRASH_AT", "")
_step = int(_spec.partition(":")[0]) if _spec else -1
_left = int(_spec.partition(":")[2] or 1)


def reached(step: int) -> None:
    """Dies here when this is the step and the count asked for."""
    if step == _step:
        _count_down()


def _count_down() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
