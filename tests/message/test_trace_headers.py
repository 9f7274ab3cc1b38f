"""Received and Return-Path: their clauses, what a hostile peer cannot write into them, loops."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from message.headers import first, iter_fields
from message.received import (
    MAX_HOPS,
    Trace,
    build_received,
    build_return_path,
    count_received,
    is_looping,
    with_protocol,
)

WHEN = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
TRACE = Trace("client.test", "192.0.2.1", "host.test", "mx.test", "Q17", WHEN, "ESMTPS")


def test_a_priority_stands_behind_the_recipient() -> None:
    made = build_received(replace(TRACE, recipients=("a@b.test",), priority=-3))
    assert b"\tfor <a@b.test>\r\n\tpriority -3;\r\n" in made
    assert b"priority" not in build_received(TRACE)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"esmtp": False}, "SMTP"),
        ({}, "ESMTP"),
        ({"tls": True}, "ESMTPS"),
        ({"auth": True}, "ESMTPA"),
        ({"tls": True, "auth": True}, "ESMTPSA"),
        ({"lmtp": True}, "LMTP"),
        ({"lmtp": True, "tls": True}, "LMTPS"),
        ({"smtputf8": True}, "UTF8SMTP"),
        ({"smtputf8": True, "tls": True, "auth": True}, "UTF8SMTPSA"),
        ({"lmtp": True, "smtputf8": True}, "UTF8LMTP"),
    ],
)
def test_protocol_names_are_the_registered_ones(flags: dict[str, bool], expected: str) -> None:
    assert with_protocol(**flags) == expected


def test_a_received_field() -> None:
    trace = Trace(
        "client.test", "2001:db8::1", "", "mx.test", "Q17", WHEN, "ESMTPS",
        "TLSv1.3 TLS_AES_256_GCM_SHA384", ("bob@x.test",),
    )  # fmt: skip
    assert build_received(trace) == (
        b"Received: from client.test ([IPv6:2001:db8::1])\r\n"
        b"\t(using TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby mx.test with ESMTPS id Q17\r\n"
        b"\tfor <bob@x.test>;\r\n"
        b"\tThu, 29 Feb 2024 12:00:00 +0000\r\n"
    )


def test_several_recipients_stay_hidden() -> None:
    field = build_received(
        Trace("h", "192.0.2.1", "r.test", "mx", "Q", WHEN, "LMTP", "", ("a@b", "secret@b"))
    )
    assert b"for" not in field
    assert b"from h (r.test [192.0.2.1])\r\n" in field
    assert b"id Q;\r\n" in field


def test_a_peer_cannot_write_clauses_or_fields() -> None:
    field = build_received(
        Trace("x) by evil (\r\nBcc: y", "", "", "mx", "Q", WHEN, "ESMTP", "", ("a>\r\nX: <b@c",))
    )
    assert [one.name for one in iter_fields(field)] == [b"Received"]
    assert field.startswith(b"Received: from x??by?evil????Bcc:?y\r\n\tby mx")
    assert first(build_return_path("a\r\nX: y"), b"x") is None


def test_return_paths() -> None:
    assert build_return_path("") == b"Return-Path: <>\r\n"
    assert build_return_path("zoë@x.test") == "Return-Path: <zoë@x.test>\r\n".encode()


def test_loops_are_found_by_count_and_by_our_trace() -> None:
    block = build_received(TRACE) + b"received : by y\r\nX-Received: z\r\nSubject: Received: no\r\n"
    assert count_received(block) == 2
    assert not is_looping(block)
    assert is_looping(block, limit=1)
    assert is_looping(b"Received: x\r\n" * (MAX_HOPS + 1))
    assert not is_looping(b"Received: x\r\n" * MAX_HOPS)
    assert is_looping(block, "Q17")
    assert not is_looping(block, "Q1")
    assert not is_looping(block.replace(b"Received: from", b"X: from"), "Q17")
