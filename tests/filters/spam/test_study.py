"""A stored message looked at again: what the filter wrote is read back, and who it is stays."""

from filters.spam.result import SpamResult
from filters.spam.status import status_fields
from filters.spam.study import study, study_judged, told_in
from filters.verdict import Scored
from tests.support.stores import message

HOST = "mx.example.test"


def test_what_the_filter_writes_is_read_back() -> None:
    scored = tuple(
        Scored(f"SYMBOL_{number}", number - 10.5, "a (nested), detail = of it" * (number % 2))
        for number in range(20)
    )
    for junk_at in (0.0, 5.0, -90.0):
        result = SpamResult(scored, junk_at=junk_at)
        told = told_in(b"".join(status_fields(result)) + b"Subject: x\r\n\r\n")
        assert told is not None
        assert told.junk is result.is_junk
        assert dict(told.symbols) == {one.name: one.weight for one in scored}
    assert told_in(b"Subject: x\r\n\r\n") is None


def test_the_same_message_is_known_wherever_it_is() -> None:
    plain = message("hello")
    kept = b"X-Spam-Status: Yes, score=9 required=5\r\nX-TUID: abc\r\n" + plain
    first, second = study(plain, HOST), study(kept.replace(b"\r\n", b"\n"), HOST)
    assert first.key == second.key
    assert first.features == second.features
    assert study(message("hello"), HOST).key != first.key


def test_rules_speak_for_what_came_without_the_filter() -> None:
    judged = study_judged(message("hello").replace(b"To: ", b"Reply-To: "), HOST, 1_790_000_000.0)
    assert judged.told is None
    assert "HAS_REPLYTO" in judged.symbols
