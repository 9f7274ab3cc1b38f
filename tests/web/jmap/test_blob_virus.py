"""Nothing that somebody put here leaves, or becomes mail, before the virus scanner's word."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clamd import EICAR, Clamd, running_clamd
from tests.support.jmap import ADA, Jmap, basic
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.web.jmap.test_blob import fetched, upload


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with running_clamd() as running:
        yield running


def drafts(jmap: Jmap) -> dict[str, bool]:
    boxes = jmap.call("Mailbox/get", ids=None)["list"]
    return {next(one["id"] for one in boxes if one["role"] == "drafts"): True}


def create(jmap: Jmap, blob: str) -> Any:
    made = {"mailboxIds": drafts(jmap), "attachments": [{"blobId": blob, "type": "text/plain"}]}
    return jmap.call("Email/set", create={"e": made})


def test_a_virus_stays_here(tmp_path: Path, clamd: Clamd) -> None:
    extra = f'[virus]\nclamd = "{clamd.unix}"\n'
    with ServerProcess(tmp_path, configuration(extra=extra)) as server:
        server.perform("account.add", address=ADA, password=PASSWORD)
        jmap = Jmap(server, basic())
        clean = upload(server, jmap, b"harmless").body["blobId"]
        assert fetched(server, jmap, clean) == (200, b"harmless")
        assert create(jmap, clean)["created"]
        found = upload(server, jmap, EICAR)
        assert found.status == 201
        infected = found.body["blobId"]
        status, told = fetched(server, jmap, infected)
        assert status == 403 and b"virus" in told
        assert jmap.call("Blob/get", ids=[infected])["error"] == "forbidden"
        assert jmap.call("Email/parse", blobIds=[infected])["error"] == "forbidden"
        assert create(jmap, infected)["notCreated"]["e"]["type"] == "forbidden"
        message = b"Subject: x\r\n\r\n" + EICAR + b"\r\n"
        asked = {"blobId": upload(server, jmap, message).body["blobId"]}
        found = jmap.call("Email/import", emails={"i": {**asked, "mailboxIds": drafts(jmap)}})
        assert found["notCreated"]["i"]["type"] == "forbidden"


def test_what_nobody_could_scan_waits(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp:127.0.0.1:{silent.getsockname()[1]}"
        extra = f'[virus]\nclamd = "{address}"\ntimeout = "20s"\n'
        with ServerProcess(tmp_path, configuration(extra=extra)) as server:
            server.perform("account.add", address=ADA, password=PASSWORD)
            jmap = Jmap(server, basic())
            blob = upload(server, jmap, b"harmless").body["blobId"]
            status, told = fetched(server, jmap, blob)
            assert status == 503 and b"scanned" in told
