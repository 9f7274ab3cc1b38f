"""Logs: one JSON object a line off a terminal, and no secret in them."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from config.logging import configure, get_logger

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def read() -> Iterator[Read]:
    """The entries written so far, from a log that ends with the test."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers = list(root.handlers)
    sink = configure(stream)

    def entries() -> list[dict[str, Any]]:
        sink.flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield entries
    root.handlers = handlers
    structlog.reset_defaults()


def test_lines_are_json_and_secrets_hidden(read: Read) -> None:
    get_logger("imap").bind(connection="c1").info("login", password="hunter2", user="a@b.test")
    (entry,) = read()
    assert entry["event"] == "login"
    assert entry["connection"] == "c1"
    assert entry["part"] == "imap"
    assert entry["user"] == "a@b.test"
    assert "hunter2" not in str(entry)


def test_lines_of_the_standard_library_are_json_too(read: Read) -> None:
    logger = logging.getLogger("storage.mirror")
    logger.info("nothing of importance")
    logger.warning("mirror failed for account %d", 3)
    try:
        raise RuntimeError("why")
    except RuntimeError:
        logger.exception("it failed")
    warning, error = read()
    assert (warning["part"], warning["level"]) == ("storage.mirror", "warning")
    assert warning["event"] == "mirror failed for account 3"
    assert error["event"] == "it failed"
    assert "RuntimeError: why" in error["exception"]


def test_octets_that_are_no_text_are_logged_all_the_same(read: Read) -> None:
    text = b"a\xffb".decode("utf-8", "surrogateescape")
    get_logger("smtp").info("refused", helo=text, more=[text], about={text: (text, 1)})
    (entry,) = read()
    assert entry["helo"] == "a?b"
    assert entry["more"] == ["a?b"] and entry["about"] == {"a?b": ["a?b", 1]}
