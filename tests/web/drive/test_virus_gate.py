"""Nothing leaves the drive before a real clamd has said what it is."""

import asyncio
import imaplib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clamd import EICAR, NAME, Clamd, running_clamd
from tests.support.drive import ADA, attach, get, link
from tests.support.false_clamd import VERSION, Stream, false_clamd
from tests.support.http_api import Answer
from tests.support.rest import Rest
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.web.drive.test_rest import content, upload

GOOD = b"a harmless file\n" * 100


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with running_clamd(limit="1M", version=27000) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("gate"), configuration()) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        yield running


@pytest.fixture(scope="module")
def imap(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    client.logout()


@pytest.fixture(scope="module")
def ada(server: ServerProcess) -> Rest:
    return Rest(server, ADA)


def scan_by(server: ServerProcess, address: str, on_error: str = "defer") -> None:
    extra = f'[virus]\nclamd = "{address}"\non_error = "{on_error}"\ntimeout = "20s"\n'
    server.config.write_text(configuration(extra=extra))
    server.perform("reload")


def notices(imap: imaplib.IMAP4) -> list[bytes]:
    imap.select("INBOX")
    found = imap.uid("SEARCH", "SUBJECT", '"A virus was found"')[1][0].split()
    return [imap.uid("FETCH", one.decode(), "(BODY[TEXT])")[1][0][1] for one in found]


def test_what_came_before_there_was_a_scanner_is_looked_at_before_it_leaves(
    server: ServerProcess, imap: imaplib.IMAP4, ada: Rest, clamd: Clamd
) -> None:
    scan_by(server, "")
    bad = attach(server, imap, "invoice.exe", b"MZ" + EICAR)
    good = attach(server, imap, "letter.txt", GOOD)
    urls = [link(server, one)["url"] for one in (bad, good)]
    assert [get(server, one).status for one in urls] == [200, 200]
    assert ada.get(f"/drive/items/{bad}")["state"] == "unscanned"
    scan_by(server, clamd.unix)
    refused = get(server, urls[0], Accept="text/html")
    assert refused.status == 451
    assert b"virus" in refused.body
    assert EICAR not in refused.body
    assert content(ada, bad).status == 451
    assert ada.ask("POST", f"/drive/items/{bad}/keep", {}).status == 451
    assert ada.ask("POST", f"/drive/items/{bad}/links", {}).status == 451
    assert ada.get(f"/drive/items/{bad}")["state"] == "infected"
    assert get(server, urls[1]).body == GOOD
    found = until(lambda: notices(imap))
    assert len(found) == 1, found
    told = found[0]
    assert b"invoice.exe" in told
    assert NAME.encode() in told
    get(server, urls[0])
    assert len(notices(imap)) == 1


def test_an_infected_upload_is_not_kept(server: ServerProcess, ada: Rest, clamd: Clamd) -> None:
    scan_by(server, clamd.unix)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.com", EICAR)
    for data in (EICAR, packed.getvalue()):
        assert upload(ada, "bad", data).status == 451
    assert ada.get("/drive/items?kind=file")["items"] == []
    assert upload(ada, "good", GOOD).body["state"] == "clean"


def test_newer_signatures_ask_again(
    server: ServerProcess, imap: imaplib.IMAP4, ada: Rest, clamd: Clamd
) -> None:
    scan_by(server, clamd.unix)
    text = b"yesterday nobody knew that this is bad\n" * 20
    file = upload(ada, "later.txt", text).body
    part = attach(server, imap, "later too.txt", text)
    urls = [link(server, one)["url"] for one in (file["id"], part)]
    assert [get(server, one).status for one in urls] == [200, 200]
    clamd.learn("Test.Later", b"nobody knew that this is bad")
    clamd.version(27001)
    clamd.reload()
    assert [get(server, one).status for one in urls] == [451, 451]
    assert upload(ada, "again.txt", text).status == 451


def test_what_clamd_does_not_take_is_an_error_by_policy(
    server: ServerProcess, ada: Rest, clamd: Clamd
) -> None:
    scan_by(server, clamd.unix)
    large = upload(ada, "large", bytes(3 * 1024**2)).body
    assert large["state"] == "error"
    asked = content(ada, large["id"])
    assert (asked.status, asked.fields["retry-after"]) == (503, "5")
    assert ada.ask("POST", f"/drive/items/{large['id']}/links", {}).status == 503
    scan_by(server, clamd.unix, on_error="accept")
    assert content(ada, large["id"]).status == 200


def test_a_clamd_that_is_gone_lets_out_what_it_said_before(
    server: ServerProcess, ada: Rest, clamd: Clamd
) -> None:
    scan_by(server, clamd.unix)
    known = upload(ada, "known", b"known before").body
    assert known["state"] == "clean"
    scan_by(server, "tcp:127.0.0.1:9")
    assert content(ada, known["id"]).status == 200
    new = upload(ada, "new", b"never seen")
    assert (new.status, new.body["state"]) == (201, "error")
    assert content(ada, new.body["id"]).status == 503


def test_a_bomb_is_not_unpacked(server: ServerProcess, ada: Rest, clamd: Clamd) -> None:
    scan_by(server, clamd.unix)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(300 * 1024**2))
    found = upload(ada, "bomb.zip", packed.getvalue())
    assert found.status in (201, 451)
    assert ada.get("/drive")["used"] < 8 * 1024**2


async def test_a_slow_scanner_is_waited_for_and_then_asked_for_later(tmp_path: Path) -> None:
    may = asyncio.Event()

    async def slow(stream: Stream) -> None:
        await stream.content()
        await may.wait()
        stream.say(b"stream: OK")

    async with false_clamd(slow) as clamd:
        extra = f'[virus]\nclamd = "{clamd.address}"\n'

        def run() -> tuple[Answer, int, int]:
            with ServerProcess(tmp_path, configuration(extra=extra)) as running:
                running.perform("account.add", address=ADA, password=PASSWORD)
                ada = Rest(running, ADA)
                made = upload(ada, "slow", GOOD)
                early = content(ada, made.body["id"]).status
                loop.call_soon_threadsafe(may.set)
                late = until(lambda: content(ada, made.body["id"]).status == 200 and 200)
                return made, early, late

        loop = asyncio.get_running_loop()
        made, early, late = await asyncio.to_thread(run)
    assert (made.status, made.body["state"]) == (201, "pending")
    assert (early, late) == (503, 200)
    assert clamd.scans == 1


def test_owners_of_a_file_are_told_too(
    server: ServerProcess, imap: imaplib.IMAP4, ada: Rest, clamd: Clamd
) -> None:
    scan_by(server, "")
    made = upload(ada, "before the scanner.com", b"file " + EICAR)
    assert (made.status, made.body["state"]) == (201, "unscanned")
    url = link(server, made.body["id"])["url"]
    assert get(server, url).status == 200
    scan_by(server, clamd.unix)
    assert get(server, url).status == 451
    until(lambda: any(b"before the scanner.com" in one for one in notices(imap)))


async def test_what_was_found_stays_found_when_it_cannot_be_looked_at_again(tmp_path: Path) -> None:
    says = [b"stream: OK"]

    async def judge(stream: Stream) -> None:
        await stream.content()
        stream.say(says[0])

    async with false_clamd(judge) as clamd:
        extra = f'[virus]\nclamd = "{clamd.address}"\non_error = "accept"\n'

        def newer(number: int, said: bytes) -> None:
            clamd.version = VERSION.replace(b"27000", b"%d" % number)
            says[0] = said

        def run() -> list[list[int]]:
            found = []
            with ServerProcess(tmp_path, configuration(extra=extra)) as running:
                running.perform("account.add", address=ADA, password=PASSWORD)
                client = imaplib.IMAP4("127.0.0.1", running.port("imap"))
                client.login(ADA, PASSWORD)
                part = attach(running, client, "part.txt", GOOD)
                client.logout()
                ada = Rest(running, ADA)
                both = [part, upload(ada, "file", GOOD * 2).body["id"]]
                for number, said in enumerate((b"OK", b"Test.Later FOUND", b"broken ERROR")):
                    loop.call_soon_threadsafe(newer, 27000 + number, b"stream: " + said)
                    found.append([content(ada, one).status for one in both])
            return found

        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(run) == [[200, 200], [451, 451], [451, 451]]


async def test_newer_signatures_are_tried_where_nobody_asks(tmp_path: Path) -> None:
    says = [b"stream: OK"]

    async def judge(stream: Stream) -> None:
        await stream.content()
        stream.say(says[0])

    async with false_clamd(judge) as clamd:
        extra = f'[virus]\nclamd = "{clamd.address}"\n'

        def first() -> None:
            with ServerProcess(tmp_path, configuration(extra=extra)) as running:
                running.perform("account.add", address=ADA, password=PASSWORD)
                assert upload(Rest(running, ADA), "old.txt", GOOD).body["state"] == "clean"

        def second() -> list[bytes]:
            with ServerProcess(tmp_path, configuration(extra=extra)) as running:
                client = imaplib.IMAP4("127.0.0.1", running.port("imap"))
                client.login(ADA, PASSWORD)
                try:
                    return list(until(lambda: notices(client)))
                finally:
                    client.logout()

        await asyncio.to_thread(first)
        clamd.version = VERSION.replace(b"27000", b"27001")
        says[0] = b"stream: Test.Later FOUND"
        (told,) = await asyncio.to_thread(second)
    assert b"old.txt" in told and b"Test.Later" in told
