"""A server killed in the middle of an upload: what was acknowledged is there, nothing else is."""

import http.client
import signal
from pathlib import Path

import pytest

from tests.support.drive import ADA
from tests.support.rest import API, Rest
from tests.support.server import PASSWORD, ServerProcess, until
from tests.web.drive.test_rest import content, upload

SPOOLED, PLACED, WRITTEN = 10, 11, 12
"""Steps of storage/blobs.py: the octets are durable, have their name, have their row."""


def begun(server: ServerProcess) -> Rest:
    server.perform("account.add", address=ADA, password=PASSWORD)
    return Rest(server, ADA)


def names(who: Rest) -> list[str]:
    return [one["name"] for one in who.get("/drive/items")["items"]]


@pytest.mark.parametrize("step", [SPOOLED, PLACED, WRITTEN])
def test_at_each_step_of_the_write(tmp_path: Path, step: int) -> None:
    with ServerProcess(tmp_path) as server:
        assert upload(begun(server), "before", b"before").status == 201
    crash = {"MAILSERVER_CRASH_AT": str(step)}
    dying = ServerProcess(tmp_path, environment=crash)
    dying.start()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        upload(Rest(dying, ADA), "lost", b"lost" * 1000)
    assert dying.wait() == -signal.SIGKILL
    with ServerProcess(tmp_path) as server:
        ada = Rest(server, ADA)
        assert names(ada) == ["before"]
        made = upload(ada, "again", b"lost" * 1000)
        assert made.status == 201
        assert content(ada, made.body["id"]).body == b"lost" * 1000
        assert not list((server.data / "blobs" / "tmp").iterdir())


def test_in_the_middle_of_the_body(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        ada = begun(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=30)
        connection.putrequest("POST", f"{API}/drive/items?name=half")
        connection.putheader("Authorization", f"Bearer {ada.token}")
        connection.putheader("Content-Length", "4000000")
        connection.endheaders(b"x" * 2_000_000)
        until(lambda: list((server.data / "blobs" / "tmp").iterdir()))
        server.signal(signal.SIGKILL)
        server.wait()
        connection.close()
    with ServerProcess(tmp_path) as server:
        assert names(Rest(server, ADA)) == []
        assert not list((server.data / "blobs" / "tmp").iterdir())
