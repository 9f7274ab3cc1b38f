"""The LDAP client against slapd, over TLS in both ways, and against servers that misbehave."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import trustme

from config.ldap_filter import parse_filter
from net.ldap import MOST_CONNECTIONS, Ldap, LdapError, LdapRefused, LdapServer, Login
from net.ldap_message import Entry, Search, bind_request
from tests.support.slapd import BASE, READER, READER_PASSWORD, Slapd, person_dn, slapd

NAMES = {"u": "ada@example.test", "n": "ada", "d": "example.test"}
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("slapd")) as running:
        running.add("ada", "right one", cn="Ada", mailQuota="2G")
        yield running


def wanted(text: str = "(mail=%u)", most: int = 2) -> Search:
    return Search(f"ou=people,{BASE}", 2, parse_filter(text), NAMES, ("mail", "cn"), most, 5)


def trusting(directory: Slapd) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(directory.ca))


@contextlib.asynccontextmanager
async def client(*servers: LdapServer, login: Login | None = None) -> AsyncIterator[Ldap]:
    opened = Ldap(list(servers), login or Login(READER, READER_PASSWORD), 10)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.mark.parametrize("how", ["clear", "start-tls", "ldaps"])
async def test_search_and_bind(directory: Slapd, how: str) -> None:
    port = directory.tls_port if how == "ldaps" else directory.port
    context = None if how == "clear" else trusting(directory)
    async with client(LdapServer("127.0.0.1", port, context, how == "start-tls")) as ldap:
        (found,) = await ldap.search(wanted())
        assert found.dn == person_dn("ada")
        assert found.attributes == {"mail": (b"ada@example.test",), "cn": (b"Ada",)}
        assert await ldap.bind(person_dn("ada"), "right one")
        assert not await ldap.bind(person_dn("ada"), "wrong one")
        assert not await ldap.bind(person_dn("ada"), "")
        assert not await ldap.bind("", "")
        assert not await ldap.bind(person_dn("nobody"), "right one")
        assert not await ldap.bind("no DN at all", "right one")
        assert await ldap.bind(person_dn("ada"), "right one")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("(&(objectClass=inetOrgPerson)(uid=%n))", 1),
        ("(mail=*@%d)", 1),
        ("(mail=a*a@*.test)", 1),
        ("(!(uid=%n))", 1),
        ("(cn:caseExactMatch:=Ada)", 1),
        ("(cn:caseExactMatch:=ada)", 0),
        ("(mailQuota=*)", 1),
        (r"(mail=\2a)", 0),
        ("(uid>=zzz)", 0),
    ],
)
async def test_what_filters_find(directory: Slapd, text: str, count: int) -> None:
    async with client(LdapServer("127.0.0.1", directory.port, None)) as ldap:
        assert len(await ldap.search(wanted(text, most=1))) == count


async def test_many_ask_at_once(directory: Slapd) -> None:
    async with client(LdapServer("127.0.0.1", directory.port, None)) as ldap:
        found = await asyncio.gather(*(ldap.search(wanted()) for _ in range(50)))
        right = await asyncio.gather(
            *(ldap.bind(person_dn("ada"), "right one" if n % 2 else "wrong") for n in range(50))
        )
    assert [len(one) for one in found] == [1] * 50
    assert right == [bool(n % 2) for n in range(50)]


async def test_certificates_are_verified(directory: Slapd) -> None:
    other = ssl.create_default_context()
    trustme.CA().configure_trust(other)
    good = trusting(directory)
    for server in (
        LdapServer("127.0.0.1", directory.tls_port, other),
        LdapServer("127.0.0.1", directory.port, other, start_tls=True),
        LdapServer("127.0.0.2", directory.tls_port, good),
    ):
        async with client(server) as ldap:
            with pytest.raises(LdapError, match=r"certificate not trusted|Connect"):
                await ldap.search(wanted())


async def test_the_next_server_is_asked_and_a_wrong_login_is_told(directory: Slapd) -> None:
    away = LdapServer("127.0.0.1", 1, None)
    here = LdapServer("127.0.0.1", directory.port, None)
    async with client(away, here) as ldap:
        assert len(await ldap.search(wanted())) == 1
    async with client(here, login=Login(READER, "not this one")) as ldap:
        with pytest.raises(LdapError, match="bind_dn refused") as refused:
            await ldap.search(wanted())
        assert "not this one" not in str(refused.value)


async def test_a_restart_is_not_noticed(directory: Slapd) -> None:
    async with client(LdapServer("127.0.0.1", directory.port, None)) as ldap:
        assert len(await ldap.search(wanted())) == 1
        assert await ldap.bind(person_dn("ada"), "right one")
        await asyncio.to_thread(directory.kill)
        with pytest.raises(LdapError):
            await ldap.search(wanted())
        await asyncio.to_thread(directory.start)
        assert len(await ldap.search(wanted())) == 1
        assert await ldap.bind(person_dn("ada"), "right one")


@contextlib.asynccontextmanager
async def answering(serve: Serve) -> AsyncIterator[LdapServer]:
    tasks = []

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    try:
        yield LdapServer("127.0.0.1", server.sockets[0].getsockname()[1], None)
    finally:
        await asyncio.gather(*filter(None, tasks))
        server.close()


OK = b"\x0a\x01\x00\x04\x00\x04\x00"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"HTTP/1.0 400 no\r\n\r\n", "no LDAP message", id="http"),
        pytest.param(b"\x30\x84\x7f\xff\xff\xff", "too long", id="huge"),
        pytest.param(b"\x30\x80\x02\x01\x01", "unknown form", id="indefinite"),
        pytest.param(b"\x30\x05\x02\x01\x01\x61\x7f", "cut off", id="cut-off"),
        pytest.param(b"\x30\x0c\x02\x01\x09\x61\x07" + OK, "ended", id="other-number"),
        pytest.param(b"\x30\x0c\x02\x01\x00\x78\x07" + OK, "ended", id="notice"),
        pytest.param(b"\x30\x0c\x02\x01\x01\x65\x07" + OK, "another question", id="other-answer"),
        pytest.param(b"\x30\x0c\x02\x01\x01\x66\x07" + OK, "unknown kind", id="unknown"),
        pytest.param(b"\x30\x06\x02\x01\x01\x61\x01\x00", "cut off", id="empty"),
        pytest.param(b"", "broke", id="nothing"),
    ],
)
async def test_nonsense_is_an_error(answer: bytes, reason: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(bind_request(1, "cn=x", "y")))
        writer.write(answer)
        await writer.drain()

    async with answering(serve) as server, client(server) as ldap:
        with pytest.raises(LdapError, match=reason):
            await ldap.bind("cn=x", "y")


async def test_lengths_that_active_directory_fills_up() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        body = b"\x02\x01\x01\x61\x84\x00\x00\x00\x07" + OK
        for octet in b"\x30\x84\x00\x00\x00" + bytes([len(body)]) + body:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with answering(serve) as server, client(server) as ldap:
        assert await ldap.bind("cn=x", "y")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        pytest.param(0, "right", id="success"),
        pytest.param(19, "wrong", id="constraint violation"),
        pytest.param(32, "wrong", id="no such object"),
        pytest.param(49, "wrong", id="invalid credentials"),
        pytest.param(53, "wrong", id="unwilling to perform"),
        pytest.param(1, "nothing", id="operations error"),
        pytest.param(10, "nothing", id="referral"),
        pytest.param(80, "nothing", id="other"),
        pytest.param(8, "away", id="stronger authentication required"),
        pytest.param(51, "away", id="busy"),
    ],
)
async def test_what_an_answer_to_a_bind_says(code: int, says: str) -> None:
    """A fault of the directory is no wrong password."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(bind_request(1, "cn=x", "y")))
        result = b"\x0a\x01" + bytes([code]) + b"\x04\x00\x04\x00"
        writer.write(b"\x30\x0c\x02\x01\x01\x61\x07" + result)
        await reader.read()

    async with answering(serve) as server, client(server) as ldap:
        try:
            found = "right" if await ldap.bind("cn=x", "y") else "wrong"
        except LdapRefused:
            found = "nothing"
        except LdapError:
            found = "away"
    assert found == says


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_server_that_hangs_is_asked_last(directory: Slapd) -> None:
    async with answering(silent) as hanging:
        servers = [hanging, LdapServer("127.0.0.1", directory.port, None)]
        reader = Login(READER, READER_PASSWORD)
        searching, binding = Ldap(servers, reader, 2.0), Ldap(servers, reader, 0.5)
        assert len(await searching.search(wanted())) == 1
        assert await searching.bind(person_dn("ada"), "right one")
        with pytest.raises(LdapError, match="no answer"):
            await binding.bind(person_dn("ada"), "right one")
        assert await binding.bind(person_dn("ada"), "right one")
        await asyncio.gather(searching.close(), binding.close())


async def test_who_was_never_asked_says_nothing_of_the_directory() -> None:
    async with answering(silent) as server:
        ldap = Ldap([server], Login(), 0.5)
        asked = (ldap.bind("cn=x", "y") for _ in range(3 * MOST_CONNECTIONS))
        found = [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)]
        assert found[:MOST_CONNECTIONS] == [LdapError] * MOST_CONNECTIONS
        assert found.count(LdapRefused) >= MOST_CONNECTIONS
        await ldap.close()


async def test_silence_ends() -> None:
    async with answering(silent) as server:
        ldap = Ldap([server], Login(), 0.2)
        with pytest.raises(LdapError, match="no answer"):
            await ldap.search(wanted())
        await ldap.close()


async def test_nothing_before_tls_is_believed() -> None:
    """A success to the bind that comes later, put behind the answer to STARTTLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(31)
        writer.write(b"\x30\x0c\x02\x01\x01\x78\x07" + OK + b"\x30\x0c\x02\x01\x02\x61\x07" + OK)
        await reader.read()

    async with answering(serve) as server:
        secured = LdapServer(server.host, server.port, ssl.create_default_context(), True)
        async with client(secured) as ldap:
            with pytest.raises(LdapError, match="more before TLS"):
                await ldap.bind("cn=x", "y")


def test_an_entry_shows_no_values() -> None:
    assert "secret" not in repr(Entry("cn=x", {"userpassword": (b"secret",)}))
