"""SIGKILL while the queue is sent: each message arrives, twice only where its reply was lost.

scripts/soak runs it with 10,000 messages and five kills.
"""

from pathlib import Path

import pytest

from tests.support.smtp_sink import Received
from tests.system.queue_kills import compared, killed_while_sending


def test_killed_while_sending(tmp_path: Path) -> None:
    print(killed_while_sending(tmp_path / "server", messages=500, kills=1, seed=7))


def copy(token: str, *, heard: bool) -> Received:
    return Received("s", [f"{token}@x.test"], b"", "", [], False, 1, heard)


def test_the_comparison_sees_what_is_missing_and_what_is_doubled() -> None:
    good = [copy("a", heard=True), copy("b", heard=False), copy("b", heard=True)]
    assert "1 came again behind 1 replies" in compared({"a", "b"}, good, 2, 0)
    with pytest.raises(AssertionError, match="did not arrive"):
        compared({"a", "b", "c"}, good, 3, 0)
    with pytest.raises(AssertionError, match="although their reply was heard"):
        compared({"a", "b"}, [*good, copy("a", heard=True)], 2, 0)
