"""The command line as an operator uses it: exit statuses, --json, with and without a server."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.server import MAILSERVER, PASSWORD, ServerProcess, configuration, until

# each command without a server opens the store anew, which is slow on a busy machine
ALONE = pytest.param("alone", marks=pytest.mark.timeout(240))


@pytest.fixture(params=["served", ALONE])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """Commands must do the same through a running server and without one."""
    made = ServerProcess(tmp_path, configuration())
    if request.param == "served":
        with made:
            yield made
    else:
        yield made


def test_account_commands(server: ServerProcess) -> None:
    server.add_account("user@example.test", PASSWORD, "--name", "U. Ser", "--quota", "2G")
    (row,) = server.json("account", "list")
    assert set(row) == {
        "address", "name", "enabled", "admin", "quota", "used", "messages", "maildir",
        "quota_messages", "imap_mask", "gmail_labels", "submission", "role", "administers",
        "source",
    }  # fmt: skip
    assert row["quota"] == 2 * 1024**3
    assert row["enabled"] is True
    assert Path(row["maildir"]).is_dir()
    shown = server.json("account", "show", "USER@example.test")
    more: dict[str, object] = {"verified": None, "second_factor": [], "passkeys": 0}
    assert shown == row | more
    server.command("account", "disable", "user@example.test")
    assert server.json("account", "show", "user@example.test")["enabled"] is False
    server.command("account", "enable", "user@example.test")
    server.command("account", "passwd", "user@example.test", "--password-stdin", input_text="new\n")
    server.command("account", "delete", "user@example.test")
    assert server.json("account", "list") == []


def test_account_set(server: ServerProcess) -> None:
    server.add_account("user@example.test", PASSWORD, "--quota", "2G")
    change = ("account", "set", "user@example.test")
    server.command(
        *change, "--quota-messages", "10", "--imap-mask", "QRESYNC", "--imap-mask", "plain"
    )
    row = server.json("account", "show", "user@example.test")
    assert (row["quota"], row["quota_messages"]) == (2 * 1024**3, 10)
    assert (row["imap_mask"], row["gmail_labels"]) == (["QRESYNC", "plain"], False)
    server.command(*change, "--imap-mask", "none", "--quota", "1G", "--gmail-labels", "on")
    row = server.json("account", "show", "user@example.test")
    assert (row["quota"], row["quota_messages"]) == (1024**3, 10)
    assert (row["imap_mask"], row["gmail_labels"]) == ([], True)
    server.command(*change, "--imap-mask", "NOSUCH", expect=1)
    server.command(*change, "--gmail-labels", "maybe", expect=2)
    server.command("account", "set", "nobody@example.test", "--quota", "1G", expect=1)


def test_account_set_submission(server: ServerProcess) -> None:
    server.add_account("user@example.test", PASSWORD)
    change = ("account", "set", "user@example.test")
    server.command(
        *(*change, "--from-header", "any", "--messages-per-hour", "7"),
        *("--recipients-per-day", "0", "--save-sent", "on"),
    )
    chosen = {
        "from_header": "any",
        "messages_per_hour": 7,
        "recipients_per_day": 0,
        "save_sent": True,
    }
    assert server.json("account", "show", "user@example.test")["submission"] == chosen
    server.command(*change, "--messages-per-hour", "default", "--from-header", "default")
    chosen = {"recipients_per_day": 0, "save_sent": True}
    assert server.json("account", "show", "user@example.test")["submission"] == chosen


@pytest.mark.parametrize(
    "options",
    [("--messages-per-day", "many"), ("--from-header", "some"), ("--save-sent", "maybe")],
)
def test_account_set_refuses(options: tuple[str, str]) -> None:
    arguments = [*MAILSERVER, "account", "set", "user@example.test", *options]
    done = subprocess.run(arguments, capture_output=True, check=False)
    assert done.returncode == 2 and options[0].encode() in done.stderr


def test_account_refusals(server: ServerProcess) -> None:
    server.add_account("user@example.test")
    again = ("account", "add", "user@example.test", "--password-stdin")
    refused = server.command(*again, input_text="x\n", expect=1)
    assert len(refused.stderr.splitlines()) == 1
    elsewhere = ("account", "add", "user@elsewhere.test", "--password-stdin")
    server.command(*elsewhere, input_text="x\n", expect=1)
    (server.folder / "empty").mkdir()
    no_mail = ("import", "maildir", str(server.folder / "empty"), "user@example.test")
    unread = server.command(*no_mail, expect=1)
    assert len(unread.stderr.splitlines()) == 1
    for command in ("show", "disable", "enable", "delete"):
        server.command("account", command, "nobody@example.test", expect=1)


def test_report_commands(server: ServerProcess) -> None:
    assert server.json("report", "list") == server.json("report", "pending") == []
    assert server.json("report", "sources", "--domain", "example.test", "--days", "7") == []
    assert server.json("report", "list", "--kind", "tls", "--domain", "example.test") == []
    server.command("report", "list", "--kind", "fax", expect=1)
    server.command("report", "show", "7", expect=1)
    server.command("report", "delete", "7", expect=1)
    server.command("report", "show", expect=2)


def test_alias_and_domain_commands(server: ServerProcess) -> None:
    server.add_account("user@example.test")
    server.command("alias", "add", "team@example.test", "user@example.test", "out@world.test")
    assert server.json("alias", "list") == [
        {
            "alias": "team@example.test",
            "targets": ["user@example.test", "out@world.test"],
            "send_as": False,
        }
    ]
    server.command("alias", "add", "team@example.test", "user@example.test", expect=1)
    server.command("alias", "delete", "team@example.test")
    server.command("alias", "delete", "team@example.test", expect=1)
    server.command("domain", "add", "more.test")
    server.command("domain", "add", "more.test", expect=1)
    free = {"accounts_most": 0, "quota_most": 0}
    assert server.json("domain", "list") == [
        {"name": "example.test", "source": "config", **free},
        {"name": "more.test", "source": "command", **free},
    ]
    server.command("domain", "delete", "more.test")
    server.command("domain", "delete", "more.test", expect=1)
    server.command("domain", "delete", "example.test", expect=1)


def test_block_commands(server: ServerProcess) -> None:
    server.command("block", "add", "192.0.2.7/24", "--until", "2h", "--reason", "guesses passwords")
    server.command("block", "add", "2001:db8::1", "--until", "2100-01-02T03:04:05Z")
    first, second = server.json("block", "list")
    assert set(first) == {"network", "until", "reason", "source", "created"}
    assert (first["network"], first["reason"]) == ("192.0.2.0/24", "guesses passwords")
    assert (first["source"], second["network"]) == ("command", "2001:db8::1/128")
    assert second["until"] == "2100-01-02T03:04:05Z"
    server.command("block", "add", "192.0.2.0/24", expect=1)
    server.command("block", "add", "192.0.3.0/24", "--until", "2001-01-01", expect=1)
    server.command("block", "delete", "192.0.2.0/24")
    server.command("block", "delete", "192.0.2.0/24", expect=1)
    server.command("block", "add", "nonsense", expect=2)
    server.command("block", "add", "192.0.2.0/24", "--until", "soon", expect=2)
    assert len(server.json("block", "list")) == 1


def test_suppression_commands(server: ServerProcess) -> None:
    command = ("queue", "suppress")
    server.command(*command, "add", "a@there.test", "--until", "2h", "--reason", "asked for it")
    server.command(*command, "add", "@world.test")
    first, second = server.json(*command, "list")
    assert set(first) == {"address", "until", "reason", "origin", "created"}
    assert (first["address"], first["reason"]) == ("a@there.test", "asked for it")
    assert (second["address"], second["until"], second["origin"]) == (
        "@world.test",
        None,
        "command",
    )
    server.command(*command, "add", "user@example.test", expect=1)
    server.command(*command, "add", "b@there.test", "--until", "soon", expect=2)
    server.command(*command, "delete", "A@THERE.test")
    server.command(*command, "delete", "a@there.test", expect=1)


def test_queue_commands_on_an_empty_queue(server: ServerProcess) -> None:
    server.add_account("user@example.test")
    assert server.json("queue", "list") == []
    server.command("queue", "retry")
    server.command("queue", "show", "1", expect=1)


def test_queue_refusals(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration()) as server:
        for command in ("hold", "release"):
            server.command("queue", command)
        server.command("queue", "bounce", "1", expect=1)
        server.command("queue", "bounce", expect=2)


def test_usage_errors_are_2(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    for arguments in (("nonsense",), ("account", "nonsense"), ("account", "add"), ("serve", "-x")):
        server.command(*arguments, expect=2)
    no_terminal = server.command("account", "add", "a@example.test", expect=2)
    assert "--password-stdin" in no_terminal.stderr


def test_a_wrong_configuration_is_78_with_every_error(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "[listen]\nsmpt = []\n[limits]\nrecipients = 0\n")
    for command in (("serve",), ("check",), ("account", "list")):
        lines = server.command(*command, expect=78).stderr.splitlines()
        assert [line.split(": ")[1] for line in lines] == [
            "hostname", "listen.smpt", "limits.recipients",
        ]  # fmt: skip


def test_config_may_stand_behind_the_command(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    command = [*MAILSERVER, "account", "list", "--json", "--config", str(server.config)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=server.environment, check=True, timeout=30
    )
    assert json.loads(done.stdout) == []


def test_check_says_what_would_fail(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    results = {row["name"]: row for row in server.json("check")}
    assert {"configuration", "certificate", "database", "ports", "clamd", "dns"} <= set(results)
    assert all(row["ok"] and row["fix"] == "" for row in results.values())
    with server:
        taken = ServerProcess(
            tmp_path / "second", configuration(extra='[tls]\ncertificate = "no"\nkey = "no"\n')
        )
        text = taken.config.read_text()
        smtp = f'smtp = ["127.0.0.1:{server.port("smtp")}"]'
        taken.config.write_text(text.replace('smtp = ["127.0.0.1:0"]', smtp, 1))
        failed = json.loads(taken.command("check", "--json", expect=1).stdout)
    bad = {row["name"]: row for row in failed if not row["ok"]}
    assert set(bad) == {"certificate", "ports"}
    assert all(row["fix"] for row in bad.values())


def test_what_keeps_a_server_from_starting_is_one_line(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "one", configuration()) as first:
        port = first.port("smtp")
        config = configuration().replace('smtp = ["127.0.0.1:0"]', f'smtp = ["127.0.0.1:{port}"]')
        taken = ServerProcess(tmp_path / "two", config).command("serve", expect=1)
        (line,) = taken.stderr.splitlines()
        assert "the port is taken" in line
        second = ServerProcess(tmp_path / "one").command("serve", expect=1)
        assert "stop that server first" in second.stderr.splitlines()[-1]
    bad = ServerProcess(
        tmp_path / "three", configuration(extra='[tls]\ncertificate="a"\nkey="b"\n')
    )
    (line,) = bad.command("serve", expect=1).stderr.splitlines()
    assert line.endswith(
        "/three/a: No such file or directory; correct tls.certificate, tls.key or auth.client_ca"
    )


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("LISTEN_IMAP", "192.0.2.1:1430", "192.0.2.1:1430: this machine has no such address"),
        ("LISTEN_IMAP", "no-such-host.invalid:1430", "no-such-host.invalid:1430: "),
        ("DATA_DIR", "/proc/data", "/proc/data: No such file or directory; see data_dir"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    tmp_path: Path, variable: str, value: str, why: str
) -> None:
    environment = {f"MAILSERVER_{variable}": value}
    server = ServerProcess(tmp_path, configuration(), environment)
    (line,) = server.command("serve", expect=1).stderr.splitlines()
    assert line.startswith(f"mailserver: {why}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_with_status_0(tmp_path: Path, number: int) -> None:
    server = ServerProcess(tmp_path, configuration())
    server.start()
    server.signal(number)
    assert server.wait() == 0
    assert len(server.events("ready")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_a_start_with_status_0(tmp_path: Path, number: int) -> None:
    os.mkfifo(tmp_path / "slow.pem")
    tls = '[tls]\ncertificate = "slow.pem"\nkey = "slow.pem"\n'
    server = ServerProcess(tmp_path, configuration(extra=tls))
    server.spawn()
    # opening it returns once the server, which waits for its content, has it open too
    with (tmp_path / "slow.pem").open("wb"):
        server.signal(number)
        assert server.wait() == 0
    assert server.log == []


def test_the_first_account_is_made_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "mailserver.toml").write_text(configuration())
    environment = os.environ | {"MAILSERVER_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "mailserver.development", "--setup-only"]

    def printed() -> dict[str, str]:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=True, timeout=60
        )
        return dict(line.split(": ", 1) for line in done.stdout.splitlines())

    first = printed()
    assert list(first)[:2] == ["address", "password"]
    assert re.fullmatch("[A-Za-z0-9]{16}", first["password"])  # a word that no command mistakes
    assert "password" not in printed()
    server = ServerProcess(tmp_path)
    server.command("account", "delete", "user@example.test")
    assert list(printed())[:2] == ["address", "password"]
    (row,) = server.json("account", "list")
    assert (row["address"], row["admin"]) == ("user@example.test", True)


def test_import_of_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    for kind in ("maildir", "mbox"):
        done = server.command("import", kind, "/no/mail", "user@example.test", expect=1)
        assert done.stderr == "mailserver: /no/mail: there is no such file or folder\n"


@pytest.mark.parametrize("command", ["check", "serve", "repair", "account list"])
def test_files_of_another_user_are_one_line(tmp_path: Path, command: str) -> None:
    server = ServerProcess(tmp_path, configuration())
    server.command("account", "list")
    # root reads everything unless it gives that up, and then is like any other user
    give_up = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    as_another = () if os.getuid() else give_up
    server.data.chmod(0)
    try:
        done = subprocess.run(
            [*as_another, *MAILSERVER, "--config", str(server.config), *command.split()],
            capture_output=True,
            text=True,
            env=server.environment,
            timeout=60,
            check=False,
        )
    finally:
        server.data.chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    said = done.stdout if command == "check" else done.stderr
    assert "Permission denied" in said or "is not writable" in said, said
    assert command == "check" or len(said.splitlines()) == 1


def test_what_is_too_large_is_usage(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    server.add_account("user@example.test")
    change = ("account", "set", "user@example.test")
    server.command(*change, "--quota", "99999999999999999999G", expect=2)
    server.command(*change, "--quota-messages", "99999999999999999999", expect=2)
    server.command("block", "add", "192.0.2.1", "--until", "99999999999d", expect=2)


def test_version(tmp_path: Path) -> None:
    done = ServerProcess(tmp_path, configuration()).command("--version")
    assert done.stdout == f"mailserver {version('mailserver')}\n"


def test_reload_applies_and_says_what_needs_a_restart(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration()) as server:
        text = server.config.read_text()
        text = text.replace('"mx.example.test"', '"mx2.example.test"')
        server.config.write_text(text + "[limits]\nrecipients = 5\n")
        assert server.json("reload") == {"applied": ["limits.recipients"], "restart": ["hostname"]}
        server.config.write_text("nonsense = 1\n")
        assert "nonsense" in server.command("reload", expect=78).stderr
        server.config.write_text(text + "[limits]\nrecipients = 7\n")
        server.signal(signal.SIGHUP)
        until(lambda: len(server.events("reloaded")) == 2)
    server.command("reload", expect=1)
