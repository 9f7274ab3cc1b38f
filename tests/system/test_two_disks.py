"""The Maildirs on another file system than the data folder, as [store] maildir allows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ServerProcess, configuration
from tests.system.disks import tmpfs
from tests.system.load import A, B
from tests.system.peers import imap, ready, smtp

SIZES = (300, 5_000_000)
OUTSIDE = "x@outside.test"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with tmpfs(tmp_path / "disk", "100m") as disk:
        text = configuration(extra='[outbound]\nsmarthost = "smtp://127.0.0.1:9"\n')
        text = text.replace("[store]", f'[store]\nmaildir = "{disk}/mail"')
        with ServerProcess(tmp_path / "server", text) as server:
            server.add_account(A)
            server.add_account(B)
            yield server


def text_of(size: int) -> str:
    head = f"From: <{A}>\r\nTo: <{B}>\r\nSubject: {size}\r\n\r\n"
    return head + ("x" * 70 + "\r\n") * (size // 72)


def subjects(server: ServerProcess, account: str) -> list[int]:
    with imap(server.port("imap"), account) as client:
        if ready(client.select("INBOX"))[0] == b"0":
            return []
        items = ready(client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        return [int(item[1].split()[1]) for item in items if isinstance(item, tuple)]


def test_mail_goes_to_the_mailbox_and_to_the_queue(server: ServerProcess) -> None:
    with smtp(server.port("submission"), A) as client:
        for size in SIZES:
            assert client.sendmail(A, [B, OUTSIDE], text_of(size)) == {}
            assert client.sendmail(A, [OUTSIDE], text_of(size)) == {}
    for way in ("running", "started again", "repaired"):
        if way != "running":
            server.stop()
            if way == "repaired":
                (server.data / "index.db").unlink()
                server.command("repair")
            server.start()
        assert subjects(server, B) == list(SIZES)
        assert len(server.json("queue", "list")) == 2 * len(SIZES)


def test_an_account_is_deleted_and_its_files_are_kept(
    server: ServerProcess, tmp_path: Path
) -> None:
    with smtp(server.port("smtp")) as client:
        client.sendmail("s@world.test", [B], text_of(SIZES[0]))
    server.command("account", "delete", B)
    server.stop()
    server.start()
    kept = [path for path in (tmp_path / "disk/mail/.orphans").rglob("*") if path.is_file()]
    assert [path for path in kept if path.parent.name == "new" and path.stat().st_size > 300]
    assert subjects(server, A) == []
