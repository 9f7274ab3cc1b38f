"""The attachment policy at the end of DATA: by name, by what a file is, by what is in archives."""

import base64
import gzip
import json
import os
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from config.sections_filters import ATTACHMENT_FAMILIES, ATTACHMENT_KINDS, Attachments
from config.settings import Settings
from filters.attachments import FAMILIES, examine, examine_quickly, judge
from filters.spam.judging import Job
from filters.spam.judging import judge as judge_spam
from filters.spam.rules.transit import Transit
from message.archive import Bounds
from message.unpacking import Budget
from tests.support.archives import (
    PROGRAM,
    SEVEN,
    encrypted,
    message,
    overlapping,
    rar5,
    tarred,
    tnef,
    uuencoded,
    zipped,
)
from tests.support.smtp_receiving import ADA, BEN, Client, Receiving, receiving, without_id
from tests.support.smtp_stage import plain

Capsys = pytest.CaptureFixture[str]
MIB = 1024**2
NOT_HERE = "550 5.7.1 Attachment not accepted here: "
NOBODY = Transit(now=1.7e9, sender="a@far.test", recipients=(ADA,))
MACROS = zipped(
    {"[Content_Types].xml": b"x", "word/document.xml": b"x", "word/vbaProject.bin": b""}
)


async def answer(running: Receiving, data: bytes) -> str:
    client = await running.client()
    await client.begin()
    return await client.say(data + b".")


def accepted(capsys: Capsys) -> dict[str, Any]:
    """The log line of the message accepted last."""
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines() if one[:1] == "{"]
    return dict([one for one in lines if one["event"] == "accepted"][-1])


DISK = bytes(0x8001) + b"CD001"


REFUSED = [
    ("executable", {"a.pdf": PROGRAM}, "a.pdf (executable)"),
    ("exe", {"a.pdf": PROGRAM}, "a.pdf (exe)"),
    ("executable", {"a.zip": zipped({"b.pdf": PROGRAM})}, "a.zip/b.pdf (executable)"),
    ("executable", {"a.tgz": gzip.compress(tarred({"b": PROGRAM}))}, "a.tgz/a/b (executable)"),
    ("*.SCR", {"Photo.Scr": b"text"}, "Photo.Scr (*.scr)"),
    ("*.scr", {"a.zip": zipped({"x/b.scr ": b"text"})}, "a.zip/x/b.scr  (*.scr)"),
    ("*.exe", {"a.rar": rar5(b"b.exe")}, "a.rar/b.exe (*.exe)"),
    ("invoice.*", {"invoice.pdf": b"%PDF-"}, "invoice.pdf (invoice.*)"),
    ("executable", {"a.zip": encrypted(zipped({"b.exe": b"x" * 99}))}, "a.zip/b.exe (executable)"),
    ("*.exe", {"a.7z": SEVEN["plain"]}, "a.7z/run.exe (*.exe)"),
    ("encrypted", {"a.7z": SEVEN["sealed"]}, "a.7z (encrypted)"),
    ("macro", {"a.doc": MACROS}, "a.doc (macro)"),
    ("macro", {"a.zip": zipped({"b.doc": MACROS})}, "a.zip/b.doc (macro)"),
    ("encrypted", {"a.zip": encrypted(zipped({"b": b"x" * 99}))}, "a.zip/b (encrypted)"),
    ("nested", {"a.zip": zipped({"b.zip": zipped({"c": b""})})}, "a.zip (nested)"),
    ("unread", {"a.rar": rar5(b"b")}, "a.rar (unread)"),
    ("script", {"a.txt": b"#!/bin/sh\n"}, "a.txt (script)"),
    ("hta", {"a.html": b"<html><hta:application></html>"}, "a.html (hta)"),
    ("iso", {"a.bin": DISK}, "a.bin (iso)"),
    ("iso", {"a.zip": zipped({"b.iso": DISK})}, "a.zip/b.iso (iso)"),
    ("executable", {"a": b"x" * 9000 + zipped({"b": PROGRAM})}, "a/b (executable)"),
    ("executable", {"a.zip": b"GIF89a" + zipped({"b": PROGRAM})}, "a.zip/b (executable)"),
    ("executable", {"winmail.dat": tnef({"b.doc": PROGRAM})}, "winmail.dat/b.doc (executable)"),
    ("unread", {str(n): b"" for n in range(201)}, "more than 200 attachments (unread)"),
]


def coded(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


# A file that stands in text, and what it is told as.
IN_TEXT = uuencoded("run.txt", PROGRAM)
TEXTS = {
    "alone": b"Subject: x\r\n\r\nlook\r\n" + IN_TEXT,
    "in a part": message({"a": b"b"}).replace(b"look\r\n", b"look\r\n" + IN_TEXT),
    "encoded": message({"a": b"b"}).replace(
        b"text/plain\r\n\r\nlook\r\n",
        b"text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + coded(IN_TEXT),
    ),
    "a part": b"Content-Type: application/x; name=run.txt\r\n"
    b"Content-Transfer-Encoding: x-uuencode\r\n\r\n" + IN_TEXT,
    "a message in base64": b"Content-Type: message/rfc822\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + coded(message({"a": PROGRAM})),
    "a message as a file": message({"a.EML": message({"b": PROGRAM}).replace(b"\r\n", b"\n")}),
    "in another": b"Subject: x\r\n\r\n" + uuencoded("run.zip", zipped({"run.txt": PROGRAM})),
    "a type of text that is none": b"Content-Type: text/plain-x; a=b\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + coded(PROGRAM),
}
PROSE = (
    b"Subject: x\r\n\r\nbegin 644 times, my friend\r\nand more\r\nbegin 1234 a\r\n\r\nbegin 644 b",
    b"Subject: x\r\n\r\nbegin \r\nM" + b"x" * 5000 + b"\r\nbegin",
)


HARMLESS = {"b.pdf": b"%PDF-1.7", "c.zip": zipped({"d.txt": b"text", "e.png": b"\x89PNG"})}


@pytest.mark.parametrize(("word", "files", "told"), REFUSED)
def test_what_a_policy_refuses(word: str, files: dict[str, bytes], told: str) -> None:
    policy = Attachments(reject=[word])
    verdict = judge(policy, examine(Bounds(), message(files)))
    assert f"{verdict.code} {verdict.status} {verdict.text}" == NOT_HERE + told
    assert not judge(policy, examine(Bounds(), message(HARMLESS))).refused


async def test_files_that_stand_in_text_and_messages(tmp_path: Path) -> None:
    large = TEXTS["alone"] + b"\r\n" + (b"x" * 70 + b"\r\n") * 20_000
    async with receiving(tmp_path, attachments={"reject": ["executable"]}) as running:
        for where, data in {**TEXTS, "large": large}.items():
            told = without_id(await answer(running, data))
            assert told.startswith(NOT_HERE) and told.endswith("(executable)"), where
        assert (await answer(running, PROSE[0] + b"\r\n"))[:3] == "250"


def test_messages_in_messages_end_somewhere() -> None:
    data = message({"a": PROGRAM})
    for _ in range(20):
        data = message({"a.eml": data})
    assert len(examine(Bounds(), data)) == 4


@pytest.mark.parametrize("data", PROSE)
def test_prose_is_no_file(data: bytes) -> None:
    assert examine(Bounds(), data) == ()


def test_what_a_thread_leaves_a_process_looks_at() -> None:
    """Many files in one archive hide nothing behind them."""
    files = {"a.zip": zipped({str(n): b"x" for n in range(200)}), "b": PROGRAM}
    assert examine_quickly(Bounds(), message(files)) is None
    assert judge(Attachments(reject=["exe"]), examine(Bounds(), message(files))).refused


def test_work_that_one_archive_took_is_not_done_for_the_next() -> None:
    """It is known by its name then, and said to be unread."""
    table = gzip.compress(os.urandom(MIB))
    found = examine(
        Bounds(), message({"a.gz": table, "b.zip": zipped({"c.exe": b"x" * 99})}), Budget(MIB)
    )
    assert judge(Attachments(reject=["exe"]), found).text.endswith("b.zip/c.exe (exe)")
    assert judge(Attachments(reject=["unread"]), found).text.endswith("b.zip (unread)")


async def test_what_is_refused_by_the_server(tmp_path: Path) -> None:
    async with receiving(tmp_path, attachments={"reject": ["executable"]}) as running:
        for files in ({"a.pdf": PROGRAM}, {"a.pdf": zipped({"b": PROGRAM})}):
            told = without_id(await answer(running, message(files)))
            assert told.startswith(NOT_HERE + "a.pdf") and told.endswith("(executable)")
        assert (await answer(running, message(HARMLESS)))[:3] == "250"


async def test_a_single_part_and_a_forwarded_message(tmp_path: Path) -> None:
    alone = (
        b"Subject: x\r\nContent-Type: text/plain; name=a.txt\r\n\r\n#!/bin/sh\r\n",
        b"Subject: x\r\nContent-Type: application/x\r\n\r\n#!/bin/sh\r\n",
        b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" + message({"a": b"#!/bin/sh\n"}),
    )
    async with receiving(tmp_path, attachments={"reject": ["script"]}) as running:
        for data in alone:
            assert without_id(await answer(running, data)).endswith("(script)")
        assert (await answer(running, b"Subject: x\r\n\r\n#!/bin/sh\r\n"))[:3] == "250"


async def test_users_are_held_to_it_too(tmp_path: Path) -> None:
    async with receiving(tmp_path, attachments={"reject": ["executable"]}) as running:
        client: Client = await running.client("submissions")
        await client.greet()
        assert (await client.say(f"AUTH PLAIN {plain(BEN)}"))[:3] == "235"
        for line in (f"MAIL FROM:<{BEN}>", "RCPT TO:<friend@far.test>", "DATA"):
            assert (await client.say(line))[0] in "23"
        data = b"From: " + BEN.encode() + b"\r\n" + message({"a": PROGRAM})
        assert without_id(await client.say(data + b".")) == NOT_HERE + "a (executable)"


async def test_by_default_programs_are_marked_and_bombs_refused(
    tmp_path: Path, capsys: Capsys
) -> None:
    async with receiving(tmp_path) as running:
        files = {"a.zip": zipped({"b.exe": PROGRAM}), "c.zip": encrypted(zipped({"d": b"x" * 50}))}
        assert (await answer(running, message(files)))[:3] == "250"
        symbols = accepted(capsys)["symbols"]
        assert {"ATTACHMENT_POLICY", "MIME_ENCRYPTED_ARCHIVE"} <= set(symbols)
        assert "MIME_ARCHIVE_BAD_EXTENSION" in symbols
        told = without_id(await answer(running, message({"a.zip": zipped({"b": bytes(64 * MIB)})})))
        assert told == NOT_HERE + "a.zip (more than 200 times as large unpacked)"


async def test_the_spam_filter_weighs_what_was_found_deep_inside(tmp_path: Path) -> None:
    """It sees the beginning of an attachment alone; a locked file does not stand there."""
    files = {"a.tgz": gzip.compress(tarred({"b.zip": encrypted(zipped({"c": PROGRAM}))}))}
    async with receiving(tmp_path, filters={"local_networks": []}) as running:
        assert (await answer(running, message(files)))[:3] == "250"
        header = running.body.partition(b"\r\n\r\n")[0]
        assert b"MIME_ENCRYPTED_ARCHIVE=1.5" in header
        assert b"MIME_ARCHIVE_IN_ARCHIVE=2" in header


BOMBS = {
    "overlapping": (overlapping(100, 3000), "members that overlap"),
    "many": (zipped({str(n): b"" for n in range(10_100)}), "more than 10000 files"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_are_refused_while_others_are_served(tmp_path: Path, name: str) -> None:
    """The largest goes to a worker process; blocking the loop would fail the test."""
    data, reason = BOMBS[name]
    async with receiving(tmp_path) as running:
        assert without_id(await answer(running, message({"a.bin": data}))) == (
            f"{NOT_HERE}a.bin ({reason})"
        )
        assert running.store.delivered == []


async def test_an_image_that_would_fill_gigabytes_is_an_attachment_like_others(
    tmp_path: Path,
) -> None:
    """Nobody decodes images: 60,000 by 60,000 points in a few kilobytes cost no memory."""
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(8 * MIB)))
    )
    tracemalloc.start()
    try:
        found = examine(Bounds(), message({"a.png": bomb}))
        judged = judge_spam(Job(NOBODY, b"", message({"a.png": bomb})))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB and len(bomb) < 16 * 1024
    assert not judge(Attachments(), found).refused
    assert "MIME_ARCHIVE_BOMB" not in {one.name for one in judged.found}
    async with receiving(tmp_path) as running:
        assert (await answer(running, message({"a.png": bomb})))[:3] == "250"
        assert base64.encodebytes(bomb)[:60] in running.body


def chunk(kind: bytes, data: bytes) -> bytes:
    """One of a PNG file."""
    checked = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checked)


async def test_bombs_may_be_let_in_with_a_symbol(tmp_path: Path, capsys: Capsys) -> None:
    async with receiving(tmp_path, attachments={"reject": [], "mark": []}) as running:
        data = message({"a.zip": zipped({"b": bytes(64 * MIB)})})
        assert (await answer(running, data))[:3] == "250"
        assert "MIME_ARCHIVE_BOMB" not in accepted(capsys)["symbols"]
    second = tmp_path / "second"
    second.mkdir()
    async with receiving(second, attachments={"reject": [], "mark": ["bomb"]}) as running:
        assert (await answer(running, data))[:3] == "250"
        assert {"MIME_ARCHIVE_BOMB", "ATTACHMENT_POLICY"} <= set(accepted(capsys)["symbols"])


async def test_a_large_message_is_looked_at_in_its_file(tmp_path: Path) -> None:
    noise = os.urandom(2 * MIB)
    async with receiving(tmp_path, attachments={"reject": ["executable"]}) as running:
        files = {"a.bin": noise, "b.zip": zipped({"c": PROGRAM})}
        assert (
            without_id(await answer(running, message(files))) == NOT_HERE + "b.zip/c (executable)"
        )
        assert (await answer(running, message({"a.bin": noise})))[:3] == "250"


async def test_names_are_fit_for_a_reply(tmp_path: Path) -> None:
    async with receiving(tmp_path, attachments={"reject": ["executable"]}) as running:
        named = message({"=?utf-8?q?gr=C3=BC=0D=0A250_Ok?=": PROGRAM})
        told = without_id(await answer(running, named))
        assert told.startswith(NOT_HERE) and told.isascii() and "\n" not in told


async def test_the_worst_of_all_lists_counts(tmp_path: Path, capsys: Capsys) -> None:
    policy = {"reject": ["*.exe"], "mark": ["pdf"]}
    async with receiving(tmp_path, attachments=policy) as running:
        files = {"a.pdf": b"%PDF-1.7", "b.exe": b"text"}
        assert without_id(await answer(running, message(files))) == NOT_HERE + "b.exe (*.exe)"
        assert (await answer(running, message({"a.pdf": b"%PDF-1.7"})))[:3] == "250"
        assert "ATTACHMENT_POLICY" in accepted(capsys)["symbols"]
        assert [one.local[0].address for one in running.store.delivered] == [ADA]


def test_every_kind_and_family_can_be_named() -> None:
    known = {kind for kinds in FAMILIES.values() for kind in kinds}
    assert known <= set(ATTACHMENT_KINDS) | {"jar", "class"}
    assert set(FAMILIES) <= set(ATTACHMENT_FAMILIES)


@pytest.mark.parametrize("word", ["executables", "scr", ""])
def test_other_words_are_errors(word: str) -> None:
    with pytest.raises(ValueError, match=r"attachments\.reject"):
        Settings.model_validate({"hostname": "a.test", "attachments": {"reject": [word]}})
