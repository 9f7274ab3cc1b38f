"""SCRAM by the RFCs' own conversations, and what breaks its rules."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import pbkdf2_hmac, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.sasl.channel import Channel
from auth.sasl.exchange import Challenge, Failure, NeedsKeys, Reason, Step, Unproved, Verified
from auth.sasl.keys import ITERATIONS, KeyOffer, Keys, derive, pack, unpack
from auth.sasl.scram import Scram

SAFE = Channel(True)
END_POINT = sha256(b"certificate").digest()
BOUND = Channel(True, END_POINT)
SALT = b"0123456789abcdef"
KEYS = derive("pencil", "SCRAM-SHA-256", SALT, 4096)
HEADER_OF_PLUS = "p=tls-server-end-point,,"


class Client:
    """Does what RFC 5802 §3 says for a client, apart from the server's code."""

    def __init__(self, header: str, binding: bytes = b"", user: str = "user") -> None:
        self.bare = f"n={user},r=clientnonce"
        self.header, self.binding = header, binding

    @property
    def first(self) -> bytes:
        return b64encode(f"{self.header}{self.bare}".encode())

    def final(self, server_first: bytes, password: str = "pencil") -> bytes:
        text = server_first.decode()
        nonce = text.partition(",")[0]
        channel = b64encode(self.header.encode() + self.binding).decode()
        unsigned = f"c={channel},{nonce}"
        salted = pbkdf2_hmac("sha256", password.encode(), SALT, 4096)
        key = hmac.digest(salted, b"Client Key", "sha256")
        said = f"{self.bare},{text},{unsigned}".encode()
        signature = hmac.digest(sha256(key).digest(), said, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return b64encode(f"{unsigned},p={b64encode(proof).decode()}".encode())


def offered(step: Step, *keys: Keys) -> Step:
    assert isinstance(step, NeedsKeys)
    return step.take(KeyOffer(SALT, 4096, keys or (KEYS,)))


def talk(
    run: Scram, client: Client, change: Callable[[bytes], bytes] = bytes, password: str = "pencil"
) -> Step:
    """The last step; `change` alters the final message."""
    first = offered(run.start(client.first))
    assert isinstance(first, Challenge)
    return run.step(change(client.final(first.data, password)))


def failed(step: Step) -> str:
    assert isinstance(step, Failure)
    assert step.reason is Reason.MALFORMED
    return step.text


@pytest.mark.parametrize(
    ("mechanism", "first", "salt", "server_first", "final", "server_final"),
    [
        pytest.param(
            "SCRAM-SHA-1",
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "QSXCR+Q6sek8bf92",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            id="RFC-5802",
        ),
        pytest.param(
            "SCRAM-SHA-256",
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            id="RFC-7677",
        ),
    ],
)
@pytest.mark.parametrize("initial", [True, False], ids=["initial-response", "asked"])
def test_conversations_of_the_standards(
    mechanism: str,
    first: str,
    salt: str,
    server_first: str,
    final: str,
    server_final: str,
    initial: bool,
) -> None:
    octets = b64decode(salt)
    client, whole = first.rpartition("r=")[2], server_first.partition(",")[0][2:]
    run = Scram(mechanism, SAFE, nonce=lambda: whole.removeprefix(client))
    message = b64encode(first.encode())
    if initial:
        step = run.start(message)
    else:
        assert run.start(None) == Challenge(b"")
        step = run.step(message)
    assert isinstance(step, NeedsKeys)
    assert (step.user, step.mechanism) == ("user", mechanism)
    keys = derive("pencil", mechanism, octets, 4096)
    assert step.take(KeyOffer(octets, 4096, (keys,))) == Challenge(server_first.encode())
    done = run.step(b64encode(final.encode()))
    assert done == Verified("user", mechanism, keys, server_final.encode())


def test_the_binding_to_a_certificate() -> None:
    run = Scram("SCRAM-SHA-256", BOUND, plus=True)
    assert isinstance(talk(run, Client(HEADER_OF_PLUS, END_POINT)), Verified)


def test_another_certificate_between_client_and_server() -> None:
    run = Scram("SCRAM-SHA-256", BOUND, plus=True)
    other = sha256(b"of the one between").digest()
    assert talk(run, Client(HEADER_OF_PLUS, other)) == Unproved("user", "SCRAM-SHA-256")


@pytest.mark.parametrize(
    ("plus", "header", "said"),
    [
        pytest.param(False, "y,,", "hidden", id="somebody-hid-plus"),
        pytest.param(False, HEADER_OF_PLUS, "-PLUS", id="binding-without-plus"),
        pytest.param(True, "n,,", "needs a channel binding", id="plus-without-binding"),
        pytest.param(True, "y,,", "needs a channel binding", id="plus-with-y"),
        pytest.param(True, "p=tls-unique,,", "only type", id="other-type"),
    ],
)
def test_downgrades_are_refused(plus: bool, header: str, said: str) -> None:
    run = Scram("SCRAM-SHA-256", BOUND, plus=plus)
    assert said in failed(run.start(Client(header).first))


def test_a_client_that_could_bind_where_the_server_could_not() -> None:
    assert isinstance(talk(Scram("SCRAM-SHA-256", SAFE), Client("y,,")), Verified)


def test_a_client_that_can_not_bind() -> None:
    assert isinstance(talk(Scram("SCRAM-SHA-256", BOUND), Client("n,,")), Verified)


def test_the_flag_that_was_sent_is_what_is_signed() -> None:
    """One between who made a `y` of it is found out."""
    client = Client("y,,")
    run = Scram("SCRAM-SHA-256", SAFE)
    first = offered(run.start(Client("n,,").first))
    assert isinstance(first, Challenge)
    assert run.step(client.final(first.data)) == Unproved("user", "SCRAM-SHA-256")


def test_wrong_password() -> None:
    assert talk(Scram("SCRAM-SHA-256", SAFE), Client("n,,"), password="pen") == Unproved(
        "user", "SCRAM-SHA-256"
    )


def test_one_of_several_passwords() -> None:
    run, client = Scram("SCRAM-SHA-256", SAFE), Client("n,,")
    other = derive("other", "SCRAM-SHA-256", SALT, 4096)
    first = offered(run.start(client.first), other, KEYS)
    assert isinstance(first, Challenge)
    done = run.step(client.final(first.data))
    assert isinstance(done, Verified)
    assert done.keys == KEYS


@pytest.mark.parametrize("old", [b"clientnonce", b"r=clientnonce"], ids=["altered", "cut"])
def test_altered_nonces(old: bytes) -> None:
    def change(final: bytes) -> bytes:
        return b64encode(b64decode(final).replace(old, b"r=x"))

    run = Scram("SCRAM-SHA-256", SAFE)
    step = talk(run, Client("n,,"), change)
    assert isinstance(step, Unproved | Failure)


def test_a_replayed_conversation() -> None:
    client, heard = Client("n,,"), list[bytes]()

    def note(final: bytes) -> bytes:
        heard.append(final)
        return final

    assert isinstance(talk(Scram("SCRAM-SHA-256", SAFE), client, note), Verified)
    again = talk(Scram("SCRAM-SHA-256", SAFE), client, lambda _: heard[0])
    assert again == Unproved("user", "SCRAM-SHA-256")


@pytest.mark.parametrize(
    "first",
    [
        "",
        "n,,",
        "n,,n=,r=abc",
        "n,,n=user",
        "n,,n=user,r=",
        "x,,n=user,r=abc",
        "n,,m=must,n=user,r=abc",
        "n,,n=user,r=abc,m=must",
        "n,,n=user,r=abc,x=may,m=must",
        "n,,n=us=er,r=abc",
        "n,,n=us=2cer,r=abc",
        "n,,n=user\0,r=abc",
        "n,,n=user,r=a\x7f",
        "n,a=,n=user,r=abc",
        "p=,,n=user,r=abc",
    ],
)
def test_first_messages_that_are_none(first: str) -> None:
    failed(Scram("SCRAM-SHA-256", SAFE).start(b64encode(first.encode()) or b"="))


@pytest.mark.parametrize(
    "final",
    [
        *(b"", b"c=biws", b"c=biws,r=x", b"c=biws,r=x,p=", b"p=AAAA", b"\xff"),
        *(b"c=biws,r=x,p=A,x=1", b"c=biws,r=x,m=1,p=AAAA"),
    ],
)
def test_final_messages_that_are_none(final: bytes) -> None:
    failed(talk(Scram("SCRAM-SHA-256", SAFE), Client("n,,"), lambda _: b64encode(final)))


def test_acting_for_another_user() -> None:
    step = Scram("SCRAM-SHA-256", SAFE).start(b64encode(b"n,a=other,n=user,r=abc"))
    assert isinstance(step, Failure)
    assert step.reason is Reason.OTHER_USER


def test_extensions_that_may_be_passed_over() -> None:
    """RFC 5802 §5.1."""
    step = Scram("SCRAM-SHA-256", SAFE).start(b64encode(b"n,,n=user,r=abc,x=1,M=2"))
    assert isinstance(step, NeedsKeys)


@pytest.mark.parametrize(
    ("sent", "user"),
    [("\xaa", "a"), ("e\u0301", "\xe9"), ("\U0001f40e", "\U0001f40e"), ("a\xadb", "ab")],
)
def test_names_are_prepared_as_queries(sent: str, user: str) -> None:
    """RFC 5802 §5.1: letters that SASLprep does not know yet are no fault of theirs."""
    step = Scram("SCRAM-SHA-256", SAFE).start(b64encode(f"n,,n={sent},r=abc".encode()))
    assert isinstance(step, NeedsKeys)
    assert step.user == user


def test_names_with_commas_and_equals_signs() -> None:
    step = Scram("SCRAM-SHA-256", SAFE).start(Client("n,a=a=2Cb=3D,", user="a=2Cb=3D").first)
    assert isinstance(step, NeedsKeys)
    assert step.user == "a,b="


@given(st.text(max_size=40), st.sampled_from(["SCRAM-SHA-256", "SCRAM-SHA-1"]))
def test_keys_come_back_from_their_text(password: str, mechanism: str) -> None:
    offer = KeyOffer(SALT, 2, (derive(password, mechanism, SALT, 2),))
    both = pack([("SCRAM-SHA-512", offer), (mechanism, offer)])
    assert unpack(both, mechanism) == offer
    assert unpack(both, "SCRAM-SHA-224") is None
    assert unpack("", mechanism) is None


def test_the_same_password_typed_otherwise() -> None:
    """SASLprep (RFC 4013): composed and decomposed letters, and a space of another kind."""
    typed = ("\xe9 \U0001f40e", "e\u0301\xa0\U0001f40e")
    keys = [derive(text, "SCRAM-SHA-256", SALT, 2) for text in typed]
    assert keys[0] == keys[1]


def test_iterations_are_what_the_standard_wants() -> None:
    assert ITERATIONS >= 4096


def test_no_key_in_a_repr() -> None:
    assert repr(KEYS) == "Keys()"
