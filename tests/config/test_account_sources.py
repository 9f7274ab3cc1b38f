"""Tables [[auth.source]]: what is refused and how, and where their secrets may stand."""

from pathlib import Path

import pytest

from config.load import ConfigInvalid, load
from config.sections_accounts import AccountSource

LDAP = """\
hostname = "mx.example.test"
[[auth.source]]
kind = "ldap"
name = "people"
uri = "ldap://ldap.example.test"
base = "dc=example,dc=test"
filter = "(mail=%u)"
bind_dn = "cn=reader"
"""
SQL = """\
hostname = "mx.example.test"
[[auth.source]]
kind = "sql"
name = "my-portal"
query = "SELECT hash FROM users WHERE a = :address AND t::text <> ''"
"""


def read(folder: Path, text: str, environment: dict[str, str] | None = None) -> AccountSource:
    path = folder / "mailserver.toml"
    path.write_text(text)
    return load(path, environment or {}).auth.source[0]


def errors(folder: Path, text: str) -> str:
    with pytest.raises(ConfigInvalid) as invalid:
        read(folder, text)
    return str(invalid.value)


def test_secrets_stand_in_the_file_in_another_or_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    source = read(tmp_path, LDAP + 'bind_password = "hunter1"\nca = "ca.pem"\n')
    assert source.bind_password.get_secret_value() == "hunter1"
    assert source.ca == tmp_path / "ca.pem"
    source = read(tmp_path, LDAP + 'bind_password_file = "secret"\n')
    assert source.bind_password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(source)
    variable = {"MAILSERVER_AUTH_SOURCE_PEOPLE_BIND_PASSWORD": "hunter3"}
    assert read(tmp_path, LDAP, variable).bind_password.get_secret_value() == "hunter3"
    database = {"MAILSERVER_AUTH_SOURCE_MY_PORTAL_DATABASE": "sqlite:users.db"}
    found = read(tmp_path, SQL, database).database.get_secret_value()
    assert found == f"sqlite:{tmp_path / 'users.db'}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(LDAP, "bind_dn and bind_password together", id="no-password"),
        pytest.param(LDAP + 'bind_password_file = "none"\n', "a readable file", id="no-file"),
        pytest.param(
            LDAP.replace("(mail=%u)", "(mail=%q)"), "an LDAP filter (RFC 4515)", id="filter"
        ),
        pytest.param(LDAP.replace("ldap://", "http://"), "ldap://ldap.example.test", id="uri"),
        pytest.param(LDAP + 'filtr = "x"\n', 'nearest known key: "filter"', id="unknown-key"),
        pytest.param(LDAP + 'query = "x"\n', "no query in a source of kind ldap", id="strange"),
        pytest.param(SQL, "a source of kind sql with database, query", id="no-database"),
        pytest.param(SQL + 'database = "mysql://h/hunter1"\n', "found a secret", id="database"),
        pytest.param(
            SQL.replace(":address", ":addr") + 'database = "sqlite:a"\n',
            "a query with parameters out of :address, :local, :domain",
            id="parameter",
        ),
        pytest.param(
            SQL.replace(":address", "'%u'") + 'database = "sqlite:a"\n',
            "a query with parameters",
            id="no-parameter",
        ),
        pytest.param(
            LDAP.replace("ldap://", "ldaps://") + 'start_tls = true\nbind_password = "hunter1"\n',
            "start_tls with ldap:// alone",
            id="start-tls",
        ),
        pytest.param(
            2 * (SQL + 'database = "sqlite:a"\n').removeprefix('hostname = "mx.example.test"\n'),
            "sources with names of their own",
            id="twice",
        ),
    ],
)
def test_what_is_wrong_is_said_without_secrets(tmp_path: Path, text: str, expected: str) -> None:
    if not text.startswith("hostname"):
        text = f'hostname = "mx.example.test"\n{text}'
    said = errors(tmp_path, text)
    assert expected in said
    assert "hunter1" not in said
