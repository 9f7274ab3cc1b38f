"""What only a session of the last ten minutes may, whichever path leads to it."""

import sqlite3
import time
from pathlib import Path

from tests.support.rest import ADA, ROOT, Rest, asked
from tests.support.server import PASSWORD, ServerProcess, configuration


def test_an_old_session_sets_no_secrets(tmp_path: Path) -> None:
    """The clock of the server is the machine's, so the sessions are made old in its database."""
    with ServerProcess(tmp_path / "server", configuration()) as server:
        server.perform("account.add", address=ADA, password=PASSWORD)
        server.perform("account.add", address=ROOT, password=PASSWORD, admin=True)
        ada, root = Rest(server, ADA), Rest(server, ROOT)
        with sqlite3.connect(server.data / "config.db") as database:
            database.execute("UPDATE config_credential SET created = ?", (time.time() - 601,))
        server.stop()
        server.start()
        password = {"password": "yet another horse"}
        for who, method, path, body in (
            (ada, "PUT", "/password", password),
            (ada, "PUT", f"/admin/accounts/{ADA}/password", password),
            (root, "PUT", f"/admin/accounts/{ADA}/password", password),
            (ada, "DELETE", f"/admin/accounts/{ADA}/second-factor", None),
            (ada, "POST", "/tokens", {"name": "t"}),
        ):
            found = who.ask(method, path, body)
            assert found.status == 401, path
            assert "insufficient_user_authentication" in found.fields["www-authenticate"]
        assert ada.ask("GET", "/account").status == 200


def test_a_token_makes_no_administrators(server: ServerProcess, root: Rest) -> None:
    made = root.ask("POST", "/tokens", {"name": "t", "protocols": ["web"]}).body["secret"]
    body = {"address": "new@example.test", "password": "yet another horse"}
    refused = asked(server, "POST", "/admin/accounts", {**body, "admin": True}, made)
    assert refused.status == 422
    assert asked(server, "POST", "/admin/accounts", body, made).body["role"] == "user"
    role = {"role": "administrator"}
    path = "/admin/accounts/new@example.test"
    assert asked(server, "PUT", f"{path}/role", role, made).status == 403
    assert root.ask("DELETE", path).status == 204
