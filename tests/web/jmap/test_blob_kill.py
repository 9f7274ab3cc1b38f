"""What an upload or a new Email was answered for is there after a crash; what broke off is not."""

import os
import socket
from pathlib import Path

from tests.support.jmap import ADA, Jmap, basic
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.web.jmap.test_blob import fetched, upload


def test_a_crash_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration()) as server:
        server.perform("account.add", address=ADA, password=PASSWORD)
        jmap = Jmap(server, basic())
        data = os.urandom(700_000)
        blob = upload(server, jmap, data).body["blobId"]
        boxes = jmap.call("Mailbox/get", ids=None)["list"]
        box = next(one["id"] for one in boxes if one["role"] == "drafts")
        attached = [{"blobId": blob, "type": "application/zip"}]
        made = {"mailboxIds": {box: True}, "attachments": attached}
        email = jmap.call("Email/set", create={"e": made})["created"]["e"]
        fields = "".join(f"{name}: {value}\r\n" for name, value in basic().items())
        with socket.create_connection(("127.0.0.1", server.port("http")), 20) as peer:
            head = f"POST /jmap/upload/{jmap.account}/ HTTP/1.1\r\nHost: x\r\n{fields}"
            peer.sendall(f"{head}Content-Length: 2000000\r\n\r\n".encode() + bytes(1_500_000))
            spool = server.data / "blobs/tmp"
            until(lambda: sum(path.stat().st_size for path in spool.iterdir()) > 500_000)
            server.kill()
        server.start()
        assert not list(spool.iterdir())
        again = Jmap(server, basic())
        assert fetched(server, again, blob) == (200, data)
        found = again.get("Email", email["id"], "attachments")
        assert fetched(server, again, found["attachments"][0]["blobId"]) == (200, data)
        files = [path for path in (server.data / "blobs").rglob("S*") if path.is_file()]
        assert [path.name for path in files] == [blob]
        assert files[0].stat().st_mode & 0o777 == 0o440
