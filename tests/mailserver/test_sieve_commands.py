"""`mailserver sieve ...` as an operator uses it, with and without a server."""

import imaplib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, BEN, EVE = "ada@example.test", "ben@example.test", "eve@example.test"
KEEP = 'require "fileinto";\nfileinto "Ärger";\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server"), configuration()) as made:
        for address in (ADA, BEN, EVE):
            made.perform("account.add", address=address, password=PASSWORD)
        yield made


def test_scripts_are_put_shown_and_deleted(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "mine.sieve"
    file.write_text(KEEP)
    server.command("sieve", "put", ADA, "mine", str(file), "--activate")
    server.command("sieve", "put", ADA, "other", "-", input_text="discard;")
    rows = server.json("sieve", "list", ADA)
    assert [(row["name"], row["active"], row["size"]) for row in rows] == [
        ("mine", True, len(KEEP.encode())),
        ("other", False, 8),
    ]
    assert set(rows[0]) == {"name", "active", "size", "changed"}
    shown = server.json("sieve", "show", ADA)
    assert shown == {**rows[0], "text": KEEP}
    assert server.command("sieve", "show", ADA, "other").stdout == "discard;"
    # a script with mistakes changes nothing, and says where each is
    failed = server.command("sieve", "put", ADA, "mine", "-", input_text="kep;\nstop", expect=1)
    assert failed.stderr.count("\n") == 1 and "line 2, column 5: " in failed.stderr
    assert server.perform("sieve.show", address=ADA, name="mine")["text"] == KEEP
    server.command("sieve", "delete", ADA, "mine", expect=1)
    server.command("sieve", "activate", ADA, "other")
    server.command("sieve", "rename", ADA, "mine", "old")
    server.command("sieve", "delete", ADA, "old")
    server.command("sieve", "deactivate", ADA)
    assert server.command("sieve", "show", ADA, expect=1).stdout == ""
    assert [row["active"] for row in server.perform("sieve.list", address=ADA)] == [False]
    server.command("sieve", "put", ADA, "x", str(tmp_path / "missing"), expect=1)


def test_without_a_server(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    server.add_account(ADA, PASSWORD)
    server.command("sieve", "put", ADA, "mine", "-", "--activate", input_text=KEEP)
    assert server.json("sieve", "show", ADA)["text"] == KEEP


def test_check_needs_neither_server_nor_account(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    file = tmp_path / "mine.sieve"
    file.write_text(KEEP)
    server.command("sieve", "check", str(file))
    file.write_bytes(b'fileinto "x";\n\xff')
    failed = server.command("sieve", "check", str(file), expect=1)
    assert failed.stderr.startswith(f"{file}: line 2, column 1: ")
    assert json.dumps(failed.stdout) == '""'


def test_rules_are_added_listed_and_deleted(server: ServerProcess) -> None:
    rule = {
        "name": "Lists",
        "conditions": [{"type": "list", "value": "python"}],
        "actions": [{"type": "file", "mailbox": "Lists"}],
    }
    add = ("rules", "add", BEN, "-")
    server.command(*add, input_text=json.dumps(rule))
    others = {**rule, "name": "Others", "stop": False}
    server.perform("rules.add", address=BEN, rule=others)
    server.perform("rules.add", address=BEN, rule={**rule, "name": "lists", "enabled": False})
    rows = server.json("rules", "list", BEN)
    assert [(row["name"], row["enabled"], row["stop"]) for row in rows] == [
        ("lists", False, True),
        ("Others", True, False),
    ]
    assert 'fileinto :create "Lists";' in server.perform("sieve.show", address=BEN)["text"]
    server.command("rules", "delete", BEN, "LISTS")
    server.command(*add, input_text='{"name": "x"', expect=1)
    server.command(*add, input_text='{"name": "x", "actions": [{"type": "y"}]}', expect=1)
    kept = server.perform("rules.list", address=BEN)["rules"]
    assert [row["name"] for row in kept] == ["Others"]
    server.perform("sieve.put", address=BEN, name="mine", text="keep;", activate=True)
    assert server.command("rules", "list", BEN).stdout == "own script: mine\n"
    assert "more than rules" in server.command(*add, input_text=json.dumps(rule), expect=1).stderr


def test_a_dry_run(server: ServerProcess, tmp_path: Path) -> None:
    for n in range(3):
        with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
            client.login(EVE, PASSWORD)
            client.append("INBOX", "", "", f"Subject: number {n}\r\n\r\ntext\r\n".encode())
    file = tmp_path / "one.sieve"
    file.write_text('if header :contains "subject" "1" { discard; }')
    test = ("sieve", "test", EVE)
    done = server.command(*test, "--file", str(file))
    assert done.stdout.rstrip("\n") == "INBOX/2\tdelete\tline 1\tnumber 1"
    assert done.stderr.endswith("1 of 3 messages would change\n")
    found = server.json(*test, "--file", str(file), "--last", "1")
    assert (found["tested"], found["changed"]) == (1, 0)
    server.command(*test, expect=1)  # no script is active
    server.command(*test, "--file", str(file), "--script", "x", expect=2)
    file.write_text('require "reject"; reject "a"; reject "b";')
    server.command(*test, "--file", str(file), expect=1)
