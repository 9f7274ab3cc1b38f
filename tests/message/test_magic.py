"""What a file is by its bytes: programs, scripts, archives, documents, pictures, by any name."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.file_kinds import ARCHIVES, EXECUTABLES, IMAGES, MACROS, OFFICE, SCRIPTS
from message.magic import has_macros, kind_of

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def zipped(*names: str, text: bytes = b"x") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return made.getvalue()


def tarred() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return made.getvalue()


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


CONTENT = "[Content_Types].xml"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"MZ\x90\0\3\0\0\0" + bytes(60), "exe"),
        (b"\x7fELF\2\1\1", "elf"),
        (bytes.fromhex("cffaedfe07000001"), "macho"),
        (bytes.fromhex("cafebabe00000002"), "macho"),
        (bytes.fromhex("cafebabe00000034"), "class"),
        (b"dex\n035\0", "dex"),
        (bytes.fromhex("4c0000000114020000000000c0"), "lnk"),
        (b"#!/bin/sh\nrm -rf /\n", "script"),
        (b"\r\n@echo off\r\ndel *.*", "bat"),
        (b"[InternetShortcut]\r\nURL=http://example.test/", "url"),
        (b"Windows Registry Editor Version 5.00\r\n", "reg"),
        (b"\xff\xfe" + wide("Windows Registry Editor Version 5.00\r\n"), "reg"),
        (b"<html><head><hta:application id=x></head>", "hta"),
        (b'<job id="a"><script language="JScript">', "wsf"),
        (b'var a = "b"; var c = new ActiveXObject("WScript.Shell");', "js"),
        (b"(function(){var x=1})()", "js"),
        (b'Dim a, b\r\nSet a = CreateObject("WScript.Shell")', "vbs"),
        (b"$x = New-Object Net.WebClient; Invoke-Expression $x", "ps1"),
        (b"ITSF\3\0\0\0", "chm"),
        (b"FWS\x06", "swf"),
    ],
)
def test_programs_and_scripts(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind
    assert kind in EXECUTABLES | SCRIPTS


def test_a_program_of_this_system_is_known() -> None:
    with Path(sys.executable).open("rb") as program:
        assert kind_of(program.read(4096)) in ("elf", "macho", "exe")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (zipped("a.txt"), "zip"),
        (zipped(), "zip"),
        (b"a picture in front" * 40 + zipped("a.txt"), "zip"),
        (zipped("META-INF/MANIFEST.MF", "A.class"), "jar"),
        (zipped("AndroidManifest.xml"), "apk"),
        (b"Rar!\x1a\x07\1\0", "rar"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
        (gzip.compress(b"a", mtime=0), "gz"),
        (bz2.compress(b"a"), "bz2"),
        (lzma.compress(b"a"), "xz"),
        (lzma.compress(b"a", lzma.FORMAT_ALONE), "lzma"),
        (bytes.fromhex("28b52ffd20"), "zst"),
        (tarred(), "tar"),
        (b"MSCF\0\0\0\0", "cab"),
        (bytes(0x8001) + b"CD001\1", "iso"),
        (b"\x60\xea\x2b\0", "arj"),
        (b"\x22\x1d-lh5-\0\0", "lha"),
        (bytes(7) + b"**ACE**", "ace"),
        (b"\xed\xab\xee\xdb\3\0", "rpm"),
    ],
)
def test_archives(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind
    assert kind in ARCHIVES


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"\n" * 900 + b"%PDF-1.4", "pdf"),
        (rb"{\rtf1\ansi", "rtf"),
        (OLE, "ole"),
        (OLE + wide("WordDocument"), "doc"),
        (OLE + wide("Workbook"), "xls"),
        (OLE + wide("PowerPoint Document"), "ppt"),
        (zipped(CONTENT, "word/document.xml"), "docx"),
        (zipped(CONTENT, "xl/workbook.xml"), "xlsx"),
        (zipped(CONTENT, "ppt/presentation.xml"), "pptx"),
        (zipped(CONTENT, "word/document.xml", "word/vbaProject.bin"), "docm"),
        (zipped(CONTENT, "xl/workbook.xml", "xl/macrosheets/sheet1.xml"), "xlsm"),
        (zipped("mimetype", text=b"application/vnd.oasis.opendocument.text"), "odf"),
    ],
)
def test_documents(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind
    assert kind in OFFICE


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"GIF89a\1\0", "gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "bmp"),
        (b"II*\0\x08\0", "tiff"),
        (b"\0\0\0\x18ftypheic", "heic"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "svg"),
        (b"<svg onload=alert(1)>", "svg"),
    ],
)
def test_pictures(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind
    assert kind in IMAGES


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!DOCTYPE html>\n<p>", "html"),
        (b"\xef\xbb\xbf  <HTML>", "html"),
        (b"<script>location='http://x'</script>", "html"),
        (b"<?xml version='1.0'?><rss/>", "xml"),
        (b"BEGIN:VCALENDAR\r\n", "ics"),
        (b"\0\0\0\x18ftypisom", "mp4"),
        (b"ID3\3", "mp3"),
    ],
)
def test_other_kinds(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 4096,
        b"Dear all,\n\nMZ is the beginning of a program, PK that of an archive.\n",
        b"MZ and others met on Monday to talk of <script> and of eval().",
        b"Function keys were pressed; var is a word.",
        zlib.compress(b"plain words"),
        "Grüße aus Köln\n".encode(),
    ],
)
def test_what_is_plain_stays_unknown(text: bytes) -> None:
    assert kind_of(text) == ""


@pytest.mark.parametrize(
    ("data", "macros"),
    [
        (OLE + wide("WordDocument") + wide("_VBA_PROJECT") + bytes(40), True),
        (OLE + wide("WordDocument") + wide("Macros of the text"), False),
        (OLE + wide("WordDocument"), False),
        (zipped(CONTENT, "word/document.xml", "word/vbaProject.bin"), True),
        (zipped(CONTENT, "word/document.xml"), False),
        (zipped("word/vbaProject.bin"), False),
        (b"", False),
    ],
)
def test_macros_are_seen(data: bytes, macros: bool) -> None:
    assert has_macros(data) is macros
    assert (kind_of(data) in MACROS) <= macros


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(kind_of(data), str)


@pytest.mark.parametrize(
    "unit", [b"<!--", b"<?xml", b"rem \n", b'createobject("adodb', b"var a=", b"PK\x05\x06", b" "]
)
def test_repetition_costs_little(unit: bytes) -> None:
    """Ten megabytes of what a pattern begins with: only the edges are looked at."""
    whole = unit * (10_000_000 // len(unit))
    assert kind_of(whole) == kind_of(unit * (200_000 // len(unit)))
