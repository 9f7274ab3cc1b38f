"""What is in archives: names, real kinds, locks; and bombs, which cost little to tell."""

import bz2
import gzip
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.archive import WORK, Bounds, Contents, look_into
from message.magic import kind_of
from message.unpacking import METHODS, Budget, _pieces, unpack
from tests.support.archives import (
    PROGRAM,
    SEVEN,
    encrypted,
    onion,
    overlapping,
    rar4,
    rar5,
    tarred,
    tnef,
    zipped,
)

MIB = 1024**2


def look(data: bytes, name: str = "a", bounds: Bounds | None = None) -> Contents:
    return look_into(data, kind_of(data), name, bounds or Bounds())


def seen(contents: Contents) -> dict[str, str]:
    return {one.name: one.kind for one in contents.members}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip(method: int) -> None:
    files = {"dir/run.txt": PROGRAM, "grüße.pdf": b"%PDF-1.7", "empty": b""}
    found = look(zipped(files, method), "a.zip")
    assert seen(found) == {"a.zip/dir/run.txt": "exe", "a.zip/grüße.pdf": "pdf", "a.zip/empty": ""}
    assert (found.bomb, found.unread, found.nested) == ("", False, False)
    assert [one.size for one in found.members] == [len(PROGRAM), 8, 0]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_tar_plain_and_packed(form: int, packed: Callable[[bytes], bytes]) -> None:
    long = "x" * 60 + "/" + "y" * 90
    found = look(packed(tarred({"run": PROGRAM, long: b"%PDF-1.7"}, form)), "a.tar.gz")
    names = {name.rpartition("a.tar")[2].lstrip("./gz"): kind for name, kind in seen(found).items()}
    assert names.get("run") == "exe" and names.get(long) == "pdf"
    assert (found.bomb, found.unread, found.nested) == ("", False, False)


def test_a_packed_file_without_a_name() -> None:
    assert seen(look(gzip.compress(PROGRAM), "run.exe.gz")) == {"run.exe.gz/run.exe": "exe"}


def test_archives_in_archives() -> None:
    inner = zipped({"run.exe": PROGRAM})
    outer = gzip.compress(tarred({"b/inner.zip": inner}))
    found = look(zipped({"c.tgz": outer}), "d.zip")
    assert found.nested and not found.bomb
    assert "exe" in seen(found).values()
    assert next(name for name in seen(found) if name.endswith("b/inner.zip/run.exe"))


def test_locked_members_are_named() -> None:
    found = look(encrypted(zipped({"secret.doc": b"x" * 100})), "a.zip")
    assert [(one.name, one.encrypted) for one in found.members] == [("a.zip/secret.doc", True)]


@pytest.mark.parametrize(
    ("data", "name", "locked"),
    [
        (rar4(b"run.exe"), "run.exe", False),
        (rar4(b"run.exe", flags=4), "run.exe", True),
        (rar4(b"run.exe", main=0x80), "", True),
        (rar5(b"run.exe"), "run.exe", False),
        (rar5(b"run.exe", locked=True), "run.exe", True),
        (rar5(b"run.exe", sealed=True), "", True),
    ],
)
def test_rar_names(data: bytes, name: str, locked: bool) -> None:
    found = look(data, "a.rar")
    assert [(one.name, one.encrypted) for one in found.members] == [
        (f"a.rar/{name}".rstrip("/"), locked)
    ]
    assert found.unread and not found.bomb


@pytest.mark.parametrize(
    ("kind", "names", "locked"),
    [
        ("plain", ["note.txt", "run.exe"], False),
        ("open", ["note.txt", "run.exe"], False),
        ("locked", ["note.txt", "run.exe"], True),
        ("sealed", [""], True),
    ],
)
def test_seven_zip_names(kind: str, names: list[str], locked: bool) -> None:
    found = look(SEVEN[kind], "a.7z")
    assert sorted(one.name for one in found.members) == [
        f"a.7z/{name}".rstrip("/") for name in names
    ]
    assert {one.encrypted for one in found.members} == {locked}
    assert found.unread and not found.bomb


def test_a_header_of_seven_zip_that_takes_long_to_search() -> None:
    head = b"7z\xbc\xaf\x27\x1c\0\4" + bytes(12) + (1024**2).to_bytes(8, "little") + bytes(4)
    found = look(head + b"\x01" + b"\x11" * MIB)
    assert found.members == [] and found.unread


def test_files_in_tnef() -> None:
    files = {"grüße.txt": b"text", "run.doc": PROGRAM, "b.zip": zipped({"c": PROGRAM})}
    found = look(tnef(files), "winmail.dat")
    assert seen(found) == {
        "winmail.dat/grüße.txt": "",
        "winmail.dat/run.doc": "exe",
        "winmail.dat/b.zip": "zip",
        "winmail.dat/b.zip/c": "exe",
    }
    assert (found.bomb, found.unread, found.nested) == ("", False, False)


def test_a_message_that_hangs_on_a_message_in_tnef() -> None:
    inner = tnef({"run": PROGRAM})
    head = struct.pack("<IH", 0x223E9F78, 1) + struct.pack("<BIIH", 2, 0x00069002, 0, 0)
    values = b"\x01\0\0\0\x0d\0\x01\x37" + bytes(24)
    held = struct.pack("<BII", 2, 0x00069005, len(values + inner)) + values + inner + b"\0\0"
    assert "exe" in seen(look(head + held)).values()
    other = struct.pack("<BII", 2, 0x00069005, len(values)) + values + b"\0\0"
    assert look(head + other).unread


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_streams_one_behind_the_other_are_one(packed: Callable[[bytes], bytes]) -> None:
    """The programs unpack them all, and tar goes on reading."""
    first, second = tarred({"a": b"x"})[:1024], tarred({"run": PROGRAM})
    found = look(packed(first) + packed(second), "a.tgz")
    assert "exe" in seen(found).values()


def test_streams_without_end_take_no_time() -> None:
    budget = Budget(WORK)
    assert unpack(gzip.compress(b"") * 100_000, "gz", MIB, budget) == b""
    assert budget.left <= 0


def test_what_packs_well_is_not_copied_again_and_again() -> None:
    """Its rest is given to zlib once: else the time is the square of its length."""
    given = 0

    class Counting:
        def __init__(self) -> None:
            self.inner = METHODS["gz"].make()

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def decompress(self, data: bytes, most: int) -> bytes:
            nonlocal given
            given += len(data)
            return self.inner.decompress(data, most)

    packed = gzip.compress(b"".join(b"%08d some words\n" % n for n in range(200_000)))
    method = replace(METHODS["gz"], make=Counting)  # type: ignore[arg-type]
    assert len(b"".join(_pieces(packed, method, 16 * MIB, Budget(WORK)))) == 200_000 * 20
    assert given == len(packed)


def test_documents_in_archives_are_known_by_the_whole() -> None:
    noise = bytes(random.Random(1).randbytes(9000))
    parts = {"[Content_Types].xml": b"x", "word/document.xml": noise, "word/vbaProject.bin": b"x"}
    late = {"word/document.xml": noise, "[Content_Types].xml": b"x"}
    for pack in (zipped, tarred):
        found = look(pack({"a": zipped(parts), "b": zipped(late)}), "z")
        assert [(one.kind, one.macros) for one in found.members] == [
            ("docm", True),
            ("docx", False),
        ]
        assert not found.nested
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise
    installer = ole + bytes.fromhex("84100c0000000000c000000000000046")
    macros = ole + "WordDocument".encode("utf-16-le") + "Macros".encode("utf-16-le") + bytes(52)
    found = look(zipped({"a": installer, "b": macros, "c.iso": bytes(0x8001) + b"CD001"}))
    assert [(one.kind, one.macros) for one in found.members] == [
        ("msi", False),
        ("doc", True),
        ("iso", False),
    ]


def test_what_is_not_where_it_should_be_is_said_to_be_unread() -> None:
    made = zipped({"a.exe": PROGRAM, "b.txt": b"text"})
    found = look(b"PK\x07\x08PK" + made[6:])
    assert found.unread and "exe" in seen(found).values()
    spent = look_into(made, "zip", "a", Bounds(), Budget(0))
    assert spent.unread and "exe" in seen(spent).values()
    assert not look(zipped({"empty": b"", "folder/": b""})).unread


def test_names_tell_where_nothing_else_does() -> None:
    """Of what is locked, or packed in a way that is not known, the name is all there is."""
    members = {"invoice.EXE": b"x" * 100, "b.docm": b"x" * 100, "c.txt": PROGRAM, "d.zip": b"x"}
    found = look(encrypted(zipped(members)), "a")
    assert seen(found) == {
        "a/invoice.EXE": "exe",
        "a/b.docm": "docm",
        "a/c.txt": "",
        "a/d.zip": "zip",
    }
    assert found.nested
    assert "exe" in seen(look(SEVEN["locked"])).values()


def test_damaged_archives_are_read_as_far_as_they_go() -> None:
    whole = zipped({"a.exe": PROGRAM, "b.txt": b"plain text" * 100})
    headless = whole[: whole.rfind(b"PK\x01\x02")]
    assert seen(look(headless)) == {"a/a.exe": "exe", "a/b.txt": ""}
    assert seen(look(b"MZ" + b"x" * 100 + whole)) == {"a/a.exe": "exe", "a/b.txt": ""}
    assert look(b"PK\x03\x04" + b"\xff" * 200).bomb == ""
    cut = gzip.compress(tarred({"run": PROGRAM}))[:-16]
    assert "exe" in seen(look(cut, "a.tgz")).values()
    assert look(b"\x1f\x8b\x08" + b"\xff" * 100).unread


def test_zip64_sizes_are_read() -> None:
    made = zipped({"a": b"x" * 1000})
    at = made.rfind(b"PK\x01\x02")
    huge = (5 * 1024**3).to_bytes(8, "little")
    entry = bytearray(made[at : made.rfind(b"PK\x05\x06")])
    entry[24:28] = b"\xff" * 4
    entry[30:32] = b"\x0c\0"
    entry += b"\x01\0\x08\0" + huge
    tail = bytearray(made[made.rfind(b"PK\x05\x06") :])
    tail[12:16] = len(entry).to_bytes(4, "little")
    found = look(made[:at] + bytes(entry) + bytes(tail))
    assert found.bomb == f"more than {1024**3} octets unpacked"


BOMBS = {
    "zeros": zipped({"a": bytes(64 * MIB)}),
    "many zeros": zipped({str(number): bytes(8 * MIB) for number in range(8)}),
    "nested zeros": zipped({"b.zip": zipped({"a": bytes(64 * MIB)})}),
    "zeros in gzip": gzip.compress(bytes(64 * MIB)),
    "zeros in bzip2": bz2.compress(bytes(64 * MIB)),
    "zeros in xz": lzma.compress(bytes(64 * MIB)),
    "tar of zeros": gzip.compress(tarred({"a": bytes(64 * MIB)})),
    "gzip in gzip": gzip.compress(gzip.compress(bytes(64 * MIB))),
    "the same member often": overlapping(500, 100_000),
    "deep": onion(12, b"x"),
    "many members": zipped({f"{n}": b"" for n in range(10_100)}),
    "many folders": zipped({f"{n}/": b"" for n in range(10_100)}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    budget = Budget(WORK)
    data = BOMBS[name]
    found = look_into(data, kind_of(data), "a", Bounds(), budget)
    assert found.bomb
    assert len(found.members) <= 10_000


def test_members_that_share_their_octets_are_no_members() -> None:
    assert look(overlapping(100, 3000)).bomb == "members that overlap"
    assert look(overlapping(1, 3000)).bomb == ""


def test_a_bomb_of_bombs_is_left_at_the_first() -> None:
    """Sixteen in each of sixteen, five deep: a million archives for who looks into all."""
    core = {f"{n}.zip": b"" for n in range(16)}
    layer = zipped({"0": bytes(30 * MIB)})
    for _ in range(5):
        layer = zipped(dict.fromkeys(core, layer), zipfile.ZIP_DEFLATED)
    found = look(layer)
    assert found.bomb and len(found.members) < 100


def test_ordinary_archives_are_no_bombs() -> None:
    """Logs and tables pack well, small files even better."""
    table = b"".join(b"%08d;some;words;that;come;again\r\n" % n for n in range(300_000))
    for data in (zipped({"log.csv": table}), gzip.compress(table), zipped({"zeros": bytes(MIB)})):
        assert look(data).bomb == ""


def test_work_is_bounded_over_all() -> None:
    """Many archives in one, each well packed: what is left is not looked at, and said to be."""
    noise = zlib.compress(b"seed")
    part = zipped({"a": b"".join(noise + bytes(60) for _ in range(60_000))})
    whole = zipped({f"{n}.zip": part for n in range(40)}, zipfile.ZIP_STORED)
    budget = Budget(2 * MIB)
    found = look_into(whole, "zip", "a", Bounds(), budget)
    assert budget.left > -MIB
    assert found.members


@pytest.mark.parametrize("method", METHODS)
def test_unpacking_stops_where_it_is_told(method: str) -> None:
    made = {
        "deflate": zlib.compress(bytes(MIB), 9, -15),
        "gz": gzip.compress(bytes(MIB)),
        "bz2": bz2.compress(bytes(MIB)),
        "xz": lzma.compress(bytes(MIB)),
        "lzma": lzma.compress(bytes(MIB), lzma.FORMAT_ALONE),
    }[method]
    assert unpack(made, method, 1000, Budget(WORK)) == bytes(1000)
    assert len(unpack(made, method, 2 * MIB, Budget(WORK))) == MIB
    assert len(unpack(made, method, 2 * MIB, Budget(300_000))) < 600_000
    assert unpack(made[: len(made) // 2], method, 2 * MIB, Budget(WORK)) is not None
    assert unpack(b"nothing of the kind", method, MIB, Budget(WORK)) == b""


SEEDS = [
    zipped({"a.exe": PROGRAM, "b": b"text"}),
    tarred({"a.exe": PROGRAM, "n" * 150: b"text"}),
    gzip.compress(PROGRAM),
    rar4(b"run.exe"),
    rar5(b"run.exe", locked=True),
    tnef({"a.exe": PROGRAM}),
    *SEVEN.values(),
    zipped({"b.zip": zipped({"a": b"x"})}),
]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255))))
def test_no_change_of_an_archive_raises(seed: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for place, octet in changes:
        data[place % len(data)] = octet
    found = look_into(bytes(data), kind_of(seed), "a", Bounds())
    assert isinstance(found.members, list)


@given(st.sampled_from(["zip", "tar", "gz", "bz2", "xz", "rar", "7z", "tnef", "cab"]), st.binary())
def test_no_bytes_raise(kind: str, data: bytes) -> None:
    assert isinstance(look_into(data, kind, "a", Bounds()), Contents)
