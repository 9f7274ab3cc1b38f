"""Accounts of a real directory (slapd) as users see them: IMAP, submission, delivery, and what a
change or the end of the directory does.
"""

import base64
import contextlib
import hashlib
import imaplib
import itertools
import json
import smtplib
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from auth.totp import code_of
from tests.support.http_api import post, texts
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.slapd import BASE, GROUP, READER, READER_PASSWORD, Slapd, slapd

_serial = itertools.count(1)
EXTRA = """\
[[auth.source]]
kind = "ldap"
name = "people"
domains = ["example.test"]
uri = "{uri}"
start_tls = true
ca = "{ca}"
bind_dn = "{reader}"
bind_password_file = "reader"
base = "ou=people,{base}"
filter = "(&(objectClass=mailUser)(|(mail=%u)(uid=%n)))"
recipient_filter = "(&(objectClass=mailUser)(|(mail=%u)(mailAlternateAddress=%u)))"
admin_group = "{group}"
recheck = "1s"
cache = "10m"
cache_unknown = "500ms"
timeout = "5s"

[auth.source.attributes]
quota = "mailQuota"
enabled = "mailEnabled"

[[auth.source]]
kind = "ldap"
name = "hashes"
domains = ["hash.test"]
uri = "{tls_uri}"
ca = "{ca}"
bind_dn = "{reader}"
base = "{base}"
filter = "(mail=%u)"
verify = "hash"
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("slapd")) as running:
        yield running


@pytest.fixture(scope="module")
def server(directory: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "reader").write_text(f"{READER_PASSWORD}\n")
    extra = EXTRA.format(
        uri=directory.uri,
        tls_uri=directory.tls_uri,
        ca=directory.ca,
        reader=READER,
        base=BASE,
        group=GROUP,
    )
    # failed logins of all these tests come from one address
    extra += "[limits]\nconnections_per_minute_per_address = 0\n"
    config = configuration(domains=("example.test", "hash.test"), extra=extra)
    config = config.replace("[auth]\n", '[auth]\nsignup = "open"\n')
    environment = {"MAILSERVER_AUTH_SOURCE_HASHES_BIND_PASSWORD": READER_PASSWORD}
    with ServerProcess(folder, config, environment) as running:
        yield running


@pytest.fixture
def person(directory: Slapd) -> Callable[..., str]:
    """Adds somebody of a name that no other test has; gives the uid."""

    def add(password: str = "right one", **attributes: str) -> str:
        uid = f"p{next(_serial)}"
        directory.add(uid, password, **attributes)
        return uid

    return add


@contextlib.contextmanager
def imap(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    connection = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        yield connection
    finally:
        connection.shutdown()


def logged_in(server: ServerProcess, user: str, password: str) -> str:
    """ "" when the login is taken, else what the server says."""
    with imap(server) as client:
        try:
            client.login(user, password)
        except imaplib.IMAP4.error as error:
            return str(error)
    return ""


def submits(server: ServerProcess, user: str, password: str) -> int:
    """The code of the reply to AUTH."""
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        try:
            return client.login(user, password)[0]
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code


def received(server: ServerProcess, *to: str) -> list[int]:
    """The codes of the replies to RCPT; a message goes to those who were taken."""
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=30) as client:
        client.ehlo("friend.test")
        client.mail("friend@elsewhere.test")
        codes = [client.rcpt(f"<{one}>")[0] for one in to]
        if 250 in codes:
            code, _ = client.data("Subject: hello\r\nFrom: friend@elsewhere.test\r\n\r\nHi\r\n")
            assert code == 250
    return codes


def inbox(server: ServerProcess, user: str, password: str) -> int:
    with imap(server) as client:
        client.login(user, password)
        return int(client.select("INBOX")[1][0] or 0)


def shown(server: ServerProcess, address: str) -> dict[str, object]:
    return dict(server.perform("account.show", address=address))


def test_who_is_in_the_directory_logs_in_everywhere(
    server: ServerProcess, person: Callable[..., str]
) -> None:
    uid = person()
    address = f"{uid}@example.test"
    assert logged_in(server, address, "right one") == ""
    assert submits(server, address, "right one") == 235
    assert "AUTHENTICATIONFAILED" in logged_in(server, address, "wrong one")
    assert submits(server, address, "another wrong one") == 535
    assert shown(server, address)["source"] == "people"


def test_a_login_name_may_be_another_than_the_address(
    server: ServerProcess, person: Callable[..., str]
) -> None:
    uid = person(mail="long.name@example.test", cn="Long Name")
    assert logged_in(server, f"{uid}@example.test", "right one") == ""
    assert shown(server, "long.name@example.test")["name"] == "Long Name"
    gone = server.command("account", "show", f"{uid}@example.test", expect=1)
    assert "There is no account" in gone.stderr


def test_an_empty_password_is_refused(server: ServerProcess, person: Callable[..., str]) -> None:
    """slapd says success to a bind with a name and no password: it proves nothing."""
    address = f"{person()}@example.test"
    assert "AUTHENTICATIONFAILED" in logged_in(server, address, '""')
    assert submits(server, address, "") in (501, 535)


def test_mail_comes_before_the_first_login(
    server: ServerProcess, person: Callable[..., str]
) -> None:
    uid = person(mailAlternateAddress="sales@example.test")
    to = (f"{uid}@example.test", f"{uid}+tag@example.test", "Sales@Example.test")
    for one in to:
        assert received(server, one) == [250]
    assert received(server, "nobody.at.all@example.test") == [550]
    assert inbox(server, f"{uid}@example.test", "right one") == 3


def test_an_alias_of_the_directory_may_be_sent_as(
    server: ServerProcess, person: Callable[..., str]
) -> None:
    uid = person(mailAlternateAddress="press@example.test")
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.login(f"{uid}@example.test", "right one")
        assert client.mail("press@example.test")[0] == 250
        client.rset()
        assert client.mail("sales@example.test")[0] == 553


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("*", id="star"),
        pytest.param("*@example.test", id="star-as-local-part"),
        pytest.param("{uid}*@example.test", id="prefix"),
        pytest.param("{uid})(mail=*@example.test", id="closes-a-filter"),
        pytest.param("x)(|(uid=*@example.test", id="opens-an-or"),
        pytest.param(r"\2a@example.test", id="escape"),
        pytest.param("%u@example.test", id="placeholder"),
        pytest.param("{uid}\x00@example.test", id="nul"),
    ],
)
def test_no_name_is_a_part_of_the_filter(
    server: ServerProcess, person: Callable[..., str], name: str
) -> None:
    user = name.format(uid=person())
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.auth("PLAIN", lambda _=None: f"\0{user}\0right one")
        assert refused.value.smtp_code in (501, 535)
    if "\0" not in user and "@" in user:
        local, _, domain = user.rpartition("@")
        quoted = local.replace("\\", "\\\\")
        assert received(server, f'"{quoted}"@{domain}') == [550]


def test_strange_letters_are_found_as_they_are(server: ServerProcess, directory: Slapd) -> None:
    directory.add("odd", "right one", mail='"a*(b)\\\\c"@example.test')
    assert received(server, '"a*(b)\\\\c"@example.test') == [250]
    assert received(server, '"aX(b)\\\\c"@example.test') == [550]


def test_what_the_directory_says_is_followed(
    server: ServerProcess, directory: Slapd, person: Callable[..., str]
) -> None:
    uid = person(mailQuota="3M", cn="Before")
    address = f"{uid}@example.test"
    assert logged_in(server, address, "right one") == ""
    before = shown(server, address)
    assert (before["quota"], before["name"], before["admin"]) == (3 * 1024**2, "Before", False)
    directory.set(uid, "mailQuota", "2G")
    directory.set(uid, "cn", "After")
    member = f"dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid={uid},ou=people,{BASE}"
    directory.change(member)
    until(lambda: shown(server, address)["admin"])
    after = shown(server, address)
    assert (after["quota"], after["name"]) == (2 * 1024**3, "After")


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_who_leaves_the_directory_is_put_out(
    server: ServerProcess, directory: Slapd, person: Callable[..., str], how: str
) -> None:
    uid = person()
    address = f"{uid}@example.test"
    with imap(server) as client:
        client.login(address, "right one")
        client.select("INBOX")
        client.send(b"x IDLE\r\n")
        assert client.readline().startswith(b"+")
        if how == "deleted":
            directory.delete(uid)
        else:
            directory.set(uid, "mailEnabled", "FALSE")
        assert b"BYE" in client.readline()
    assert "AUTHENTICATIONFAILED" in logged_in(server, address, "right one")
    assert received(server, address) == [550]
    assert shown(server, address)["enabled"] is False
    refused = server.command("account", "enable", address, expect=1)
    assert "gone or disabled in the account source" in refused.stderr
    if how == "deleted":
        directory.add(uid, "right one")
    else:
        directory.set(uid, "mailEnabled", "TRUE")
    until(lambda: shown(server, address)["enabled"])
    assert inbox(server, address, "right one") == 0


def test_passwords_are_set_in_the_directory_alone(
    server: ServerProcess, directory: Slapd, person: Callable[..., str]
) -> None:
    uid = person()
    address = f"{uid}@example.test"
    assert logged_in(server, address, "right one") == ""
    refused = server.command(
        "account", "passwd", address, "--password-stdin", input_text="other\n", expect=1
    )
    assert "account source 'people': set it there" in refused.stderr
    assert "new one" not in refused.stderr
    directory.set(uid, "userPassword", "new one")
    assert logged_in(server, address, "new one") == ""


def test_a_second_factor_stands_beside_the_password_of_the_directory(
    server: ServerProcess, person: Callable[..., str]
) -> None:
    address = f"{person()}@example.test"
    assert logged_in(server, address, "right one") == ""
    key = server.perform("account.second-factor.begin", address=address)["key"]
    octets = base64.b32decode(key.replace(" ", ""))
    code = code_of(octets, int(time.time()) // 30)
    server.perform("account.second-factor.confirm", address=address, code=code)
    assert "app password" in logged_in(server, address, "right one")
    assert "AUTHENTICATIONFAILED" in logged_in(server, address, "wrong one")
    made = server.perform("account.app-password.add", address=address, name="Phone")
    assert logged_in(server, address, made["secret"]) == ""
    login = {"username": address, "password": "right one"}
    assert post(server, "/login", login).status == 401
    again = code_of(octets, int(time.time()) // 30 + 1)
    assert post(server, "/login", login | {"code": again}).status == 200


def test_a_reload_takes_other_sources(
    server: ServerProcess, directory: Slapd, person: Callable[..., str]
) -> None:
    before = server.config.read_text()
    address = f"{person()}@example.test"
    server.config.write_text(before.replace('base = "ou=people,', 'base = "ou=groups,'))
    try:
        assert "auth.source" in server.perform("reload")["applied"]
        assert "AUTHENTICATIONFAILED" in logged_in(server, address, "right one")
        assert received(server, address) == [550]
    finally:
        server.config.write_text(before)
        server.perform("reload")
    assert received(server, address) == [250]
    assert logged_in(server, address, "right one") == ""


def test_nobody_signs_up_under_a_name_of_the_directory(
    server: ServerProcess, person: Callable[..., str]
) -> None:
    uid = person(mail=f"renamed{next(_serial)}@example.test")
    known = (f"{person()}@example.test", f"{uid}@example.test")
    for name, made in ((known[0], False), (known[1], False), ("free@example.test", True)):
        phone = f"+4312345{next(_serial)}0"
        asked = {"username": name, "password": "chosen by a stranger", "phone": phone}
        assert post(server, "/register", asked).status == 202
        (text,) = until(partial(texts, server, phone))
        answer = post(server, "/verify", {"username": name, "code": text["code"]})
        assert (answer.status == 200) is made
        assert (logged_in(server, name, "chosen by a stranger") == "") is made


def test_own_accounts_stand_beside_the_directory(server: ServerProcess, directory: Slapd) -> None:
    directory.add("own", "right one")
    server.perform("account.add", address="own@example.test", password=PASSWORD)
    assert logged_in(server, "own@example.test", PASSWORD) == ""
    assert "AUTHENTICATIONFAILED" in logged_in(server, "own@example.test", "right one")
    listed = {one["address"]: one["source"] for one in server.perform("account.list")}
    assert listed["own@example.test"] == ""
    assert server.perform("account.passwd", address="own@example.test", password="another one")
    assert logged_in(server, "own@example.test", "another one") == ""


def test_scram_is_not_offered(server: ServerProcess) -> None:
    with imap(server) as client:
        offered = {one for one in client.capabilities if one.startswith("AUTH=")}
    assert "AUTH=PLAIN" in offered
    assert not [one for one in offered if "SCRAM" in one]
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.ehlo()
        assert client.docmd("AUTH", "SCRAM-SHA-256")[0] == 504


def test_hashes_of_the_directory_are_compared(server: ServerProcess, directory: Slapd) -> None:
    for stored in (_salted("right one"), f"{{CRYPT}}{_crypted('right one')}", "right one"):
        uid = f"h{next(_serial)}"
        directory.add(uid, stored, mail=f"{uid}@hash.test")
        clear = stored == "right one"  # that is no hash: it is never compared
        assert (logged_in(server, f"{uid}@hash.test", "right one") == "") is not clear
        assert "AUTHENTICATIONFAILED" in logged_in(server, f"{uid}@hash.test", "wrong one")


def test_a_directory_that_is_gone_is_a_temporary_failure(
    server: ServerProcess, directory: Slapd, person: Callable[..., str]
) -> None:
    known, fresh, late = (f"{person()}@example.test" for _ in range(3))
    assert logged_in(server, known, "right one") == ""
    assert logged_in(server, fresh, "wrong one") != ""
    made = server.perform("account.app-password.add", address=known, name="Old phone")
    directory.kill()
    try:
        assert logged_in(server, known, "right one") == ""  # verified a moment ago
        assert logged_in(server, known, made["secret"]) == ""
        for address in (fresh, late):
            assert "UNAVAILABLE" in logged_in(server, address, "right one")
            assert submits(server, address, "right one") == 454
        assert received(server, known) == [250]
        assert received(server, late) == [451]
        line = _checked(server, "account source people")
        assert line["ok"] is False
        assert READER_PASSWORD not in str(line)
    finally:
        directory.start()
    until(lambda: logged_in(server, fresh, "right one") == "")
    assert received(server, late) == [250]
    assert "answers" in str(_checked(server, "account source people")["detail"])
    assert READER_PASSWORD not in "\n".join(server.log)
    assert "right one" not in "\n".join(server.log)


def _checked(server: ServerProcess, name: str) -> dict[str, object]:
    done = server.command("check", "--json", expect=None)
    return next(dict(one) for one in json.loads(done.stdout) if one["name"] == name)


def _salted(password: str) -> str:
    digest = hashlib.sha1(password.encode() + b"salt").digest()
    return "{SSHA}" + base64.b64encode(digest + b"salt").decode()


def _crypted(password: str) -> str:
    command = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(command, input=password, capture_output=True, text=True, check=True)
    return done.stdout.strip()
