"""`mailserver drive ...`, with a server and without one."""

import imaplib
import json
from pathlib import Path

from tests.support.drive import ADA, get, letter
from tests.support.server import PASSWORD, ServerProcess


def test_all_commands(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.perform("account.add", address=ADA, password=PASSWORD)
        client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
        client.login(ADA, PASSWORD)
        client.append("INBOX", "", "", letter("plan.txt", b"the plan\n"))
        client.logout()
        (part,) = server.json("drive", "list", ADA)
        assert (part["name"], part["size"], part["attachment"]) == ("plan.txt", 9, True)
        assert part["state"] == "unscanned"
        kept = json.loads(server.command("drive", "keep", ADA, part["id"], "--json").stdout)
        options = ("--for", "2h", "--most", "3", "--note", "for bob", "--password-stdin", "--json")
        made = json.loads(
            server.command("drive", "link", ADA, kept["id"], *options, input_text="sesame\n").stdout
        )
        assert (made["most"], made["password"], made["note"]) == (3, True, "for bob")
        assert get(server, made["url"]).status == 401
        (read,) = server.json("drive", "reads", ADA, made["id"])
        assert read["status"] == 401
        plain = server.command("drive", "link", ADA, part["id"]).stdout
        url = next(line for line in plain.splitlines() if line.startswith("url: "))[5:]
        assert get(server, url).body == b"the plan\n"
        assert server.command("drive", "link", ADA, "Bff-1", expect=1).stderr.count("\n") == 1
        server.command("drive", "link", ADA, part["id"], "--for", "soon", expect=2)
        server.command("drive", "revoke", ADA, made["id"])
        assert get(server, made["url"]).status == 404
        assert server.json("drive", "rotate")["key"] == 2
    listed = server.json("drive", "list", ADA)
    assert {one["name"] for one in listed} == {"plan.txt"}
    links = {one["id"]: one["revoked"] for one in server.json("drive", "links", ADA)}
    assert len(links) == 2
    assert links[made["id"]] is not None
    refused = server.command("drive", "link", ADA, part["id"], expect=1)
    assert "running server" in refused.stderr
    server.command("drive", "delete", ADA, kept["id"])
    assert len(server.json("drive", "list", ADA)) == 1
    assert server.json("drive", "gc")["parts"] == 0
