"""Logs: one JSON object a line off a terminal, and no secret in them."""

import io
import json

import structlog

from config.logging import configure, get_logger


def test_lines_are_json_and_secrets_hidden() -> None:
    stream = io.StringIO()
    sink = configure(stream)
    try:
        get_logger("imap").bind(connection="c1").info("login", password="hunter2", user="a@b.test")
        sink.flush()
    finally:
        structlog.reset_defaults()
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["event"] == "login"
    assert entry["connection"] == "c1"
    assert entry["part"] == "imap"
    assert entry["user"] == "a@b.test"
    assert "hunter2" not in line
