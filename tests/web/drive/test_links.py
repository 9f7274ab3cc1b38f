"""Signed links to attachments, followed over real connections."""

import email
import imaplib
import random
import re
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any

import pytest

from tests.support.drive import ADA, BOB, attach, get, items, letter, link
from tests.support.server import PASSWORD, ServerProcess, until

DATA = random.Random(7).randbytes(700_001)


@pytest.fixture(scope="module")
def item(server: ServerProcess, imap: imaplib.IMAP4) -> str:
    return attach(server, imap, "report.bin", DATA)


@pytest.fixture(scope="module")
def url(server: ServerProcess, item: str) -> str:
    return str(link(server, item)["url"])


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_an_attachment_is_listed_and_had_without_a_login(
    server: ServerProcess, item: str, url: str
) -> None:
    (listed,) = [one for one in items(server) if one["id"] == item]
    assert listed["name"] == "report.bin"
    assert listed["size"] == len(DATA)
    assert url.startswith("https://mx.example.test:")
    got = get(server, url)
    assert got.status == 200
    assert got.body == DATA
    fields = got.fields
    assert fields["content-length"] == str(len(DATA))
    assert fields["content-disposition"] == 'attachment; filename="report.bin"'
    assert fields["content-type"] == "application/octet-stream"
    assert fields["cache-control"] == "private, no-cache"
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["content-security-policy"] == "sandbox; default-src 'none'"
    assert fields["accept-ranges"] == "bytes"
    assert "set-cookie" not in fields


def test_head_says_the_same_and_sends_nothing(server: ServerProcess, url: str) -> None:
    whole, head = get(server, url), get(server, url, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "etag", "last-modified", "content-disposition"):
        assert head.fields[name] == whole.fields[name]
    assert get(server, url, "POST").status == 405


def test_who_has_it_gets_304(server: ServerProcess, url: str) -> None:
    fields = get(server, url, "HEAD").fields
    again = get(server, url, If_None_Match=fields["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.fields["etag"] == fields["etag"]
    since = get(server, url, If_Modified_Since=fields["last-modified"])
    assert since.status == 304
    assert get(server, url, If_None_Match='"other"').status == 200
    assert get(server, url, If_Match='"other"').status == 412


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("0-0", 0, 1), ("100000-100099", 100_000, 100_100), ("-7", len(DATA) - 7, len(DATA)),
     ("699990-", 699_990, len(DATA))],
)  # fmt: skip
def test_one_range(server: ServerProcess, url: str, asked: str, start: int, end: int) -> None:
    got = get(server, url, Range=f"bytes={asked}")
    assert got.status == 206
    assert got.body == DATA[start:end]
    assert got.fields["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert got.fields["content-length"] == str(end - start)


def test_several_ranges(server: ServerProcess, url: str) -> None:
    got = get(server, url, Range="bytes=5-9,500000-500099,-3")
    assert got.status == 206
    assert got.fields["content-length"] == str(len(got.body))
    kind = f"Content-Type: {got.fields['content-type']}\r\n\r\n".encode()
    parts: Any = email.message_from_bytes(kind + got.body).get_payload()
    found = [_octets(got.body, part) for part in parts]
    assert found == [DATA[5:10], DATA[500_000:500_100], DATA[-3:]]


def _octets(body: bytes, part: Message) -> bytes:
    """The part as it stands: the parser of mail would change line ends."""
    place = part["Content-Range"]
    start, end = map(int, re.findall(r"\d+", place)[:2])
    at = body.index(f"Content-Range: {place}\r\n\r\n".encode())
    at = body.index(b"\r\n\r\n", at) + 4
    return body[at : at + end - start + 1]


def test_ranges_that_are_not_there(server: ServerProcess, url: str) -> None:
    for asked in (f"bytes={len(DATA)}-", "bytes=0-9,5-20", "bytes=" + "1-1," * 9):
        got = get(server, url, Range=asked)
        assert got.status == 416
        assert got.fields["content-range"] == f"bytes */{len(DATA)}"


def test_a_range_of_another_version_is_the_whole(server: ServerProcess, url: str) -> None:
    etag = get(server, url, "HEAD").fields["etag"]
    assert get(server, url, Range="bytes=0-4", If_Range=etag).status == 206
    assert get(server, url, Range="bytes=0-4", If_Range='"old"').body == DATA


def test_ranges_read_at_the_same_time_make_the_whole(server: ServerProcess, url: str) -> None:
    step = 60_000
    starts = list(range(0, len(DATA), step))

    def read(start: int) -> bytes:
        return get(server, url, Range=f"bytes={start}-{start + step - 1}").body

    with ThreadPoolExecutor(8) as pool:
        assert b"".join(pool.map(read, starts)) == DATA


def test_whatever_is_changed_of_a_link_is_the_same_404(
    server: ServerProcess, item: str, url: str
) -> None:
    never = re.sub(r"/d/[^/]+/", "/d/AAAAAAAAAAAAAAAAAAAAAA/", url)
    expires = re.search(r"e=(\d+)", url)
    assert expires is not None
    later = url.replace(expires[0], f"e={int(expires[1]) + 1000}")
    key, signature = re.search(r"k=(\d+)", url), re.search(r"s=([\w-]+)", url)
    assert key is not None
    assert signature is not None
    wrong = url.replace(signature[0], "s=" + signature[1][::-1])
    tries = [never, later, url.replace(key[0], "k=77"), wrong, url.split("?")[0], url + "x"]
    other = re.search(r"s=([\w-]+)", str(link(server, item)["url"]))
    assert other is not None
    tries.append(url.replace(signature[0], other[0]))
    tries += [url.replace(key[0], "k=-1"), url.replace(signature[0], "s=%00%ff"), url + "&e=1"]
    tries += [re.sub(r"/d/[^/]+/", f"/d/{one}/", url) for one in ("%00", "a%00b", "%ff", "x" * 999)]
    answers = [get(server, one) for one in tries]
    assert {one.status for one in answers} == {404}
    assert len({one.body for one in answers}) == 1


def test_the_name_in_the_url_says_nothing(server: ServerProcess, url: str) -> None:
    other = re.sub(r"/report\.bin\?", "/%2e%2e%2fother%22;%20x?", url)
    got = get(server, other)
    assert got.status == 200
    assert got.fields["content-disposition"] == 'attachment; filename="report.bin"'


def test_a_revoked_link_is_as_one_that_never_was(server: ServerProcess, item: str) -> None:
    made = link(server, item)
    assert get(server, made["url"]).status == 200
    server.perform("drive.revoke", address=ADA, id=made["id"])
    gone, never = get(server, made["url"]), get(server, made["url"].replace("/d/", "/d/A"))
    assert (gone.status, gone.body) == (404, never.body)
    with pytest.raises(Exception, match="no such link"):
        server.perform("drive.revoke", address=BOB, id=made["id"])


def test_an_expired_link_says_so_to_who_has_the_right_signature(
    server: ServerProcess, item: str
) -> None:
    made = link(server, item, seconds=1.0)
    over = until(lambda: (got := get(server, made["url"])).status != 200 and got)
    assert over.status == 410
    assert get(server, made["url"][:-1] + "!").status == 404


def test_a_link_that_is_good_once(server: ServerProcess, item: str) -> None:
    made = link(server, item, most=1)
    etag = get(server, made["url"], "HEAD").fields["etag"]
    assert get(server, made["url"], If_None_Match=etag).status == 304
    got = get(server, made["url"], Range="bytes=0-0")
    assert (got.status, got.body) == (200, DATA)
    assert got.fields["accept-ranges"] == "none"
    assert get(server, made["url"]).status == 410


def test_a_link_good_once_is_good_once_for_many_at_a_time(server: ServerProcess, item: str) -> None:
    made = link(server, item, most=3)
    with ThreadPoolExecutor(8) as pool:
        found = [one.status for one in pool.map(lambda _: get(server, made["url"]), range(8))]
    assert sorted(found) == [200] * 3 + [410] * 5


def test_a_link_with_a_password(server: ServerProcess, item: str) -> None:
    made = link(server, item, password="sesam öffne")
    asked = get(server, made["url"])
    assert asked.status == 401
    assert asked.fields["www-authenticate"].startswith("Basic ")
    wrong = get(server, made["url"], Authorization=basic("x", "sesam"))
    assert wrong.status == 401
    right = basic("whoever", "sesam öffne")
    got = get(server, made["url"], Authorization=right, Range="bytes=1-2")
    assert (got.status, got.body) == (206, DATA[1:3])
    pieces = [get(server, made["url"], Authorization=right, Range="bytes=1-2") for _ in range(12)]
    assert {one.status for one in pieces} == {206}, "a right password is no try"
    tries = [get(server, made["url"], Authorization=basic("x", "no")).status for _ in range(12)]
    assert tries[0] == 401
    assert tries[-1] == 429


def test_a_link_for_users(server: ServerProcess, item: str) -> None:
    made = link(server, item, users=True)
    assert get(server, made["url"]).status == 401
    assert get(server, made["url"], Authorization=basic(BOB, "wrong")).status == 401
    assert get(server, made["url"], Authorization=basic(BOB, PASSWORD)).status == 200


def test_who_read_is_in_the_log(server: ServerProcess, item: str) -> None:
    made = link(server, item)
    get(server, made["url"], User_Agent="Curious/1.0\tX")
    get(server, made["url"], Range="bytes=0-1")
    first, second = server.perform("drive.reads", address=ADA, id=made["id"])[::-1]
    assert (first["address"], first["status"]) == ("127.0.0.1", 200)
    assert first["agent"] == "Curious/1.0 X"
    assert second["status"] == 206
    with pytest.raises(Exception, match="no such link"):
        server.perform("drive.reads", address=BOB, id=made["id"])


def test_a_link_ends_with_its_mail(server: ServerProcess, imap: imaplib.IMAP4) -> None:
    item = attach(server, imap, "soon gone.txt", b"text\n" * 10)
    made = link(server, item)
    assert get(server, made["url"]).body == b"text\n" * 10
    kept = server.perform("drive.keep", address=ADA, item=item)
    stays = link(server, kept["id"])
    imap.select("INBOX")
    uid = imap.uid("SEARCH", "ALL")[1][0].split()[-1].decode()
    imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
    imap.expunge()
    assert get(server, made["url"]).status == 404
    assert item not in [one["id"] for one in items(server)]
    assert get(server, stays["url"]).body == b"text\n" * 10
    gone = server.perform("drive.gc")
    assert gone["parts"] == 1
    assert made["id"] not in [one["id"] for one in server.perform("drive.links", address=ADA)]


def test_another_accounts_item_is_not_there(server: ServerProcess, item: str) -> None:
    with pytest.raises(Exception, match="no such"):
        link(server, item, address=BOB)


def test_another_key_signs_and_the_old_one_is_good_until_it_is_forgotten(
    server: ServerProcess, item: str
) -> None:
    old = link(server, item)["url"]
    number = server.perform("drive.rotate")["key"]
    new = link(server, item)["url"]
    assert f"k={number}" in new
    assert [get(server, one).status for one in (old, new)] == [200, 200]
    server.perform("drive.rotate", forget=True)
    assert [get(server, one).status for one in (old, new)] == [404, 404]


def test_links_end_with_their_account(server: ServerProcess) -> None:
    eve = "eve@example.test"
    server.perform("account.add", address=eve, password=PASSWORD)
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(eve, PASSWORD)
    client.append("INBOX", "", "", letter("eve.bin", b"of eve"))
    client.logout()
    (part,) = items(server, eve)
    kept = server.perform("drive.keep", address=eve, item=part["id"])
    urls = [link(server, one, eve)["url"] for one in (part["id"], kept["id"])]
    assert [get(server, one).body for one in urls] == [b"of eve"] * 2
    server.perform("account.delete", address=eve)
    assert [get(server, one).status for one in urls] == [404, 404]
