"""Login by each mechanism on each protocol of a whole server, and all that breaks their rules."""

import itertools
import ssl
import time
from base64 import b32decode, b64decode, b64encode
from collections.abc import Iterator

import pytest
import trustme

from auth.totp import code_of, step_of
from tests.support.programs import need, run
from tests.support.sasl_talk import LISTENERS, Kind, Said, Talk, scram_final
from tests.support.server import PASSWORD, ServerProcess, configuration, until

PROTOCOLS = sorted(LISTENERS)
MECHANISMS = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "LOGIN",
    "OAUTHBEARER",
    "XOAUTH2",
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("sasl")
    authority.cert_pem.write_to_path(str(folder / "client-ca.pem"))
    keys = 'scram_sha_1 = true\nclient_ca = "client-ca.pem"\nbcrypt_rounds = 5'
    config = configuration().replace("bcrypt_rounds = 4", keys)
    with ServerProcess(folder, config) as process:
        yield process


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def user(server: ServerProcess) -> str:
    """An account of the test's own."""
    address = f"user{next(_numbers)}@example.test"
    server.perform("account.add", address=address, password=PASSWORD)
    return address


def talk(server: ServerProcess, protocol: str, identity: trustme.LeafCert | None = None) -> Talk:
    context = ssl.create_default_context(cafile=str(server.data / "selfsigned.pem"))
    if identity is not None:
        with identity.private_key_and_cert_chain_pem.tempfile() as path:
            context.load_cert_chain(path)
    return Talk(protocol, server.port(LISTENERS[protocol]), context)


def plain(user: str, password: str) -> bytes:
    return b64encode(f"\0{user}\0{password}".encode())


def bearer(mechanism: str, user: str, token: str) -> bytes:
    begin = f"n,a={user}," if mechanism == "OAUTHBEARER" else f"user={user}"
    return b64encode(f"{begin}\1auth=Bearer {token}\1\1".encode())


def refused(said: Said) -> bool:
    return said.kind in (Kind.NO, Kind.BAD)


def test_what_is_offered(server: ServerProcess, protocol: str) -> None:
    with talk(server, protocol) as client:
        assert client.mechanisms == MECHANISMS


@pytest.mark.parametrize("plus", [False, True], ids=["plain", "plus"])
def test_scram(server: ServerProcess, protocol: str, user: str, plus: bool) -> None:
    with talk(server, protocol) as client:
        assert client.scram(user, PASSWORD, plus=plus).kind is Kind.OK
        assert client.works()
    with talk(server, protocol) as client:
        assert client.scram(user, "wrong", plus=plus).kind is Kind.NO
        assert client.scram("nobody@example.test", PASSWORD, plus=plus).kind is Kind.NO
        assert client.scram(user, PASSWORD, plus=plus).kind is Kind.OK


def test_a_new_password_and_its_keys(server: ServerProcess, protocol: str, user: str) -> None:
    server.perform("account.passwd", address=user, password="another")
    with talk(server, protocol) as client:
        assert client.scram(user, PASSWORD).kind is Kind.NO
        assert client.scram(user, "another").kind is Kind.OK


def test_an_app_password_by_scram(server: ServerProcess, protocol: str, user: str) -> None:
    args = {"name": "phone", "protocols": [protocol]}
    made = server.perform("account.app-password.add", address=user, **args)
    other = server.perform(
        "account.app-password.add", address=user, name="other", protocols=["jmap"]
    )
    with talk(server, protocol) as client:
        assert client.scram(user, other["secret"]).kind is Kind.NO
        assert client.scram(user, made["secret"], plus=True).kind is Kind.OK
        server.perform("account.app-password.revoke", address=user, id=made["id"])
        assert client.line(b"").kind in (Kind.GONE, Kind.BAD, Kind.NO)
    with talk(server, protocol) as client:
        assert client.scram(user, made["secret"]).kind is Kind.NO
        assert client.scram(user, PASSWORD).kind is Kind.OK


def test_salts_tell_nothing(server: ServerProcess, protocol: str, user: str) -> None:
    """A name that nobody has got a salt too, always the same, as one that somebody has."""

    def asked(name: str) -> dict[str, str]:
        with talk(server, protocol) as client:
            said = client.auth("SCRAM-SHA-256", b64encode(f"n,,n={name},r=abc".encode()))
            assert said.kind is Kind.ASKS
            return dict(part.split("=", 1) for part in said.data.decode().split(","))

    known, nobody = asked(user), asked("nobody@example.test")
    assert {part: len(text) for part, text in known.items()} == {
        part: len(text) for part, text in nobody.items()
    }
    assert known["i"] == nobody["i"]
    for name, before in ((user, known), ("nobody@example.test", nobody)):
        again = asked(name)
        assert again["s"] == before["s"]
        assert again["r"] != before["r"]
    assert known["s"] != nobody["s"]


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_tokens(server: ServerProcess, protocol: str, user: str, mechanism: str) -> None:
    made = server.perform("token.add", address=user, name="script", protocols=[protocol])
    other = server.perform("token.add", address=user, name="other", protocols=["jmap"])
    with talk(server, protocol) as client:
        for wrong in (bearer(mechanism, user, "mst_" + "A" * 43), bearer(mechanism, user, "x.y.z")):
            said = client.auth(mechanism, wrong)
            assert said.kind is Kind.ASKS
            assert b'"status"' in said.data
            assert b'"openid-configuration"' in said.data
            assert client.answer(b"AQ==" if mechanism == "OAUTHBEARER" else b"").kind is Kind.NO
        said = client.auth(mechanism, bearer(mechanism, "other@example.test", made["secret"]))
        assert said.kind is Kind.ASKS
        assert client.answer(b"").kind is Kind.NO
        assert client.auth(mechanism, bearer(mechanism, user, other["secret"])).kind is Kind.ASKS
        assert client.answer(b"").kind is Kind.NO
        assert client.auth(mechanism, bearer(mechanism, user, made["secret"])).kind is Kind.OK
        assert client.works()


def test_a_client_certificate(
    server: ServerProcess, protocol: str, user: str, authority: trustme.CA
) -> None:
    with talk(server, protocol, authority.issue_cert(user)) as client:
        assert client.mechanisms == (*MECHANISMS, "EXTERNAL")
        assert client.auth("EXTERNAL", b64encode(b"other@example.test")).kind is Kind.NO
        assert client.auth("EXTERNAL", b64encode(user.upper().encode())).kind is Kind.OK
    with talk(server, protocol, authority.issue_cert(user)) as client:
        assert client.auth("EXTERNAL").kind is Kind.ASKS
        assert client.answer(b"").kind is Kind.OK
    with talk(server, protocol, authority.issue_cert("nobody@example.test")) as client:
        assert client.auth("EXTERNAL", b"=").kind is Kind.NO
        assert client.auth("PLAIN", plain(user, PASSWORD)).kind is Kind.OK
    with talk(server, protocol) as client:
        assert refused(client.auth("EXTERNAL", b"="))


def test_a_certificate_of_another_authority(server: ServerProcess, user: str) -> None:
    """TLS 1.3 tells the client with its first read."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(server, "smtp", trustme.CA().issue_cert(user))


def test_a_hash_of_another_server(server: ServerProcess, protocol: str) -> None:
    """The first login makes keys of it, so that the next may be by SCRAM."""
    need("openssl")
    made = run("openssl", "passwd", "-6", "-stdin", stdin=PASSWORD.encode() + b"\n").stdout
    address = f"moved{next(_numbers)}@example.test"
    arguments = ("account", "add", address, "--password-hash-stdin")
    server.command(*arguments, input_text=made.decode())
    with talk(server, protocol) as client:
        assert client.scram(address, PASSWORD).kind is Kind.NO
        assert client.auth("PLAIN", plain(address, "wrong")).kind is Kind.NO
        assert client.auth("PLAIN", plain(address, PASSWORD)).kind is Kind.OK
    for _ in range(100):
        with talk(server, protocol) as client:
            if client.scram(address, PASSWORD).kind is Kind.OK:
                return
    pytest.fail("no keys came of the login")


def test_hashes_that_are_none(server: ServerProcess) -> None:
    arguments = ("account", "add", "x@example.test", "--password-hash-stdin")
    done = server.command(*arguments, input_text="$6$rounds=999999999$x$y\n", expect=1)
    assert "this is no hash" in done.stderr
    assert "999999999" not in done.stderr


BROKEN = [b"!!!!", b"AGFkYQBwYXNz=", b"AGFk\xffYQ", b"A"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_broken_base64(server: ServerProcess, protocol: str, mechanism: str) -> None:
    with talk(server, protocol) as client:
        for broken in BROKEN:
            assert client.auth(mechanism).kind is Kind.ASKS
            assert refused(client.answer(broken))
        assert client.works()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_half_an_exchange(server: ServerProcess, protocol: str, user: str, mechanism: str) -> None:
    """Cancelled, then nothing at all: others are served, and so is the next."""
    with talk(server, protocol) as client:
        assert client.auth(mechanism).kind is Kind.ASKS
        assert refused(client.answer(b"*"))
        assert client.works()
        assert client.auth(mechanism).kind is Kind.ASKS
    with talk(server, protocol) as client:
        assert client.auth("PLAIN", plain(user, PASSWORD)).kind is Kind.OK


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_megabyte_of_credentials(server: ServerProcess, protocol: str, mechanism: str) -> None:
    long = b64encode(b"\0x@example.test\0" + b"x" * 1_000_000)
    with talk(server, protocol) as client:
        assert client.auth(mechanism).kind is Kind.ASKS
        said = client.answer(long)
        assert said.kind is Kind.GONE or refused(said)
    with talk(server, protocol) as client:
        assert client.works()


def test_the_longest_response(server: ServerProcess, protocol: str, user: str) -> None:
    """RFC 4954 §4 wants 12,288 octets of base64 to be taken; so much is, everywhere."""
    begin = f"\0{user}\0".encode()
    longest = b64encode(begin + b"x" * (9216 - len(begin)))
    assert len(longest) == 12_288
    with talk(server, protocol) as client:
        assert client.auth("PLAIN", longest).kind is Kind.NO
        assert client.auth("PLAIN").kind is Kind.ASKS
        assert client.answer(longest).kind is Kind.NO
        assert client.auth("PLAIN").kind is Kind.ASKS
        assert refused(client.answer(longest + b"AAAA"))
        assert client.auth("PLAIN", plain(user, PASSWORD)).kind is Kind.OK


def test_a_bare_line_feed_ends_no_response_of_smtp(server: ServerProcess, user: str) -> None:
    with talk(server, "smtp") as client:
        assert client.auth("PLAIN").kind is Kind.ASKS
        client.socket.sendall(plain(user, PASSWORD) + b"\n")
        assert client.line(b"NOOP").line.startswith("501 5.5.2")


@pytest.mark.parametrize(
    ("mechanism", "initial"),
    [
        ("PLAIN", b"\0ada@example.test\0pass\0word"),
        ("PLAIN", b"\0\0\0"),
        ("LOGIN", b"ada\0@example.test"),
        ("SCRAM-SHA-256", b"n,,n=ada\0@example.test,r=abc"),
        ("OAUTHBEARER", b"n,,\1auth=Bearer a\0b\1\1"),
        ("XOAUTH2", b"user=a\0b\1auth=Bearer ab\1\1"),
    ],
)
def test_nuls(server: ServerProcess, protocol: str, mechanism: str, initial: bytes) -> None:
    with talk(server, protocol) as client:
        assert refused(client.auth(mechanism, b64encode(initial)))
        assert client.works()


@pytest.mark.parametrize("password", ["x" * 72, "x" * 73, "x" * 5000, "é" * 37])
def test_the_72_octets_of_bcrypt(
    server: ServerProcess, protocol: str, user: str, password: str
) -> None:
    server.perform("account.passwd", address=user, password="x" * 72)
    with talk(server, protocol) as client:
        right = password == "x" * 72
        said = client.auth("PLAIN", plain(user, password))
        assert said.kind is (Kind.OK if right else Kind.NO)


def test_replayed_and_altered_messages_of_scram(
    server: ServerProcess, protocol: str, user: str
) -> None:
    bare = f"n={user},r=clientnonce"
    first = b64encode(f"n,,{bare}".encode())
    with talk(server, protocol) as client:
        said = client.auth("SCRAM-SHA-256", first)
        heard, _ = scram_final("n,,", bare, said.data.decode(), PASSWORD)
        altered = b64encode(b64decode(heard).replace(b"r=clientnonce", b"r=clientnoncX"))
        assert client.answer(altered).kind is Kind.NO
        assert client.auth("SCRAM-SHA-256", first).kind is Kind.ASKS
        assert client.answer(heard).kind is Kind.NO
        said = client.auth("SCRAM-SHA-256", first)
        right, _ = scram_final("n,,", bare, said.data.decode(), PASSWORD)
        said = client.answer(right)
        assert said.data.startswith(b"v=")


# With which codes (RFC 4954 §4, §6; RFC 9051 §6.2.2, §7.1; RFC 5804 §1.3).
ANSWERS = {
    "cancelled": ("501 5.7.0", "a BAD ", "NO "),
    "no-base64": ("501 5.5.2", "a BAD ", "NO "),
    "malformed": ("501 5.5.2", "a NO ", "NO "),
    "other-user": ("535 5.7.8", "a NO [AUTHORIZATIONFAILED]", "NO "),
    "wrong": ("535 5.7.8", "a NO [AUTHENTICATIONFAILED]", "NO "),
    "unknown-mechanism": ("504 5.5.4", "a NO ", "NO "),
    "expired": ("535 5.7.8", "a NO [EXPIRED]", "NO "),
    "second-factor": ("534 5.7.9", "a NO [AUTHENTICATIONFAILED]", "NO (AUTH-TOO-WEAK)"),
    "right": ("235 2.7.0", "a OK [CAPABILITY ", "OK "),
}


def test_what_each_end_is_called(server: ServerProcess, protocol: str, user: str) -> None:
    end = time.time() + 1
    expired = server.perform("account.app-password.add", address=user, name="x", expires=end)
    careful = f"careful{next(_numbers)}@example.test"
    server.perform("account.add", address=careful, password=PASSWORD)
    _switch_second_factor_on(server, careful)
    with talk(server, protocol) as client:
        client.auth("PLAIN")
        said = {"cancelled": client.answer(b"*").line}
        client.auth("PLAIN")
        said["no-base64"] = client.answer(b"!").line
        said["malformed"] = client.auth("PLAIN", b64encode(b"\0a\0")).line
        other = b64encode(f"other@example.test\0{user}\0{PASSWORD}".encode())
        said["other-user"] = client.auth("PLAIN", other).line
        said["unknown-mechanism"] = client.auth("NTLM").line
        assert client.works()
    with talk(server, protocol) as client:
        said["wrong"] = client.auth("PLAIN", plain(user, "wrong")).line
        said["second-factor"] = client.auth("PLAIN", plain(careful, PASSWORD)).line
        until(lambda: time.time() > end)
        said["expired"] = client.auth("PLAIN", plain(user, expired["secret"])).line
        said["right"] = client.auth("PLAIN", plain(user, PASSWORD)).line
    column = ("smtp", "imap", "sieve").index(protocol)
    wrong = {end: line for end, line in said.items() if not line.startswith(ANSWERS[end][column])}
    assert not wrong
    assert said.keys() == ANSWERS.keys()


def test_names_in_composed_and_decomposed_letters(server: ServerProcess, protocol: str) -> None:
    composed, decomposed = "jos\xe9{}@example.test", "jose\u0301{}@example.test"
    number = next(_numbers)
    server.perform("account.add", address=composed.format(number), password=PASSWORD)
    for name in (composed, decomposed):
        with talk(server, protocol) as client:
            assert client.auth("PLAIN", plain(name.format(number), PASSWORD)).kind is Kind.OK


@pytest.mark.parametrize("what", ["nothing", "password", "second-factor", "revoked", "disabled"])
@pytest.mark.parametrize("protocol", ["smtp", "imap"])
def test_what_happens_before_the_last_answer(
    server: ServerProcess, protocol: str, user: str, what: str
) -> None:
    """The client has proved its password and waits with the empty answer to the server's proof."""
    made = server.perform("account.app-password.add", address=user, name="phone")
    password = made["secret"] if what == "revoked" else PASSWORD
    bare = f"n={user},r=clientnonce"
    with talk(server, protocol) as client:
        said = client.auth("SCRAM-SHA-256", b64encode(f"n,,{bare}".encode()))
        final, _ = scram_final("n,,", bare, said.data.decode(), password)
        said = client.answer(final)
        assert said.kind is Kind.ASKS and said.data.startswith(b"v=")
        if what == "password":
            server.perform("account.passwd", address=user, password="another")
        elif what == "second-factor":
            _switch_second_factor_on(server, user)
        elif what == "revoked":
            server.perform("account.app-password.revoke", address=user, id=made["id"])
        elif what == "disabled":
            server.perform("account.disable", address=user)
        assert client.answer(b"").kind is (Kind.OK if what == "nothing" else Kind.NO)


def _switch_second_factor_on(server: ServerProcess, user: str) -> None:
    key = b32decode(server.perform("account.second-factor.begin", address=user)["key"])
    code = code_of(key, step_of(time.time()))
    server.perform("account.second-factor.confirm", address=user, code=code)


def test_whoever_stands_between(server: ServerProcess, protocol: str, user: str) -> None:
    """It has another certificate, and may take -PLUS out of what is announced."""
    header, bare = "p=tls-server-end-point,,", f"n={user},r=clientnonce"
    with talk(server, protocol) as client:
        said = client.auth("SCRAM-SHA-256-PLUS", b64encode(f"{header}{bare}".encode()))
        final, _ = scram_final(header, bare, said.data.decode(), PASSWORD, b"x" * 32)
        assert client.answer(final).kind is Kind.NO
        assert refused(client.auth("SCRAM-SHA-256", b64encode(f"y,,{bare}".encode())))


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "X" * 300])
def test_mechanisms_that_there_are_not(
    server: ServerProcess, protocol: str, mechanism: str
) -> None:
    with talk(server, protocol) as client:
        assert refused(client.auth(mechanism))
        assert client.works()
