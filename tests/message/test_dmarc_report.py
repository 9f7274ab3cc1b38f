"""Aggregate reports: written and read again, those of others read, bombs refused."""

import gzip
import io
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message import report_archive
from message.dmarc_report import (
    MAX_DEPTH,
    NAMESPACE,
    AggregateReport,
    Metadata,
    Published,
    Record,
    ReportUnreadable,
    SignatureResult,
    SpfDomain,
    parse_report,
    write_report,
)
from message.report_archive import ArchiveRefused, attachments, unpack
from message.report_mail import ReportMail, build_report_mail

METADATA = Metadata("Us & <them>", "a@mx.test", "1.example.com", 1_732_665_600, 1_732_751_999)
PUBLISHED = Published("example.com", "quarantine", "none", "reject", "s", "r", "1", "y")
RECORD = Record(
    "192.0.2.1",
    123,
    "none",
    "pass",
    "fail",
    "news.example.com",
    "bounce.example.net",
    "example.test",
    (("local_policy", "why & how"), ("trusted_forwarder", "")),
    (SignatureResult("example.com", "s1", "pass", "ok"), SignatureResult("b.test", "", "fail")),
    (SpfDomain("bounce.example.net", "softfail"),),
)
BARE = Record("2001:db8::1", 1, "reject", "fail", "fail", "example.com")

RECEIVED = b"""<?xml version="1.0"?>
<!-- the example of the standard -->
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:ext="urn:x">
  <version>1.0</version>
  <report_metadata><org_name>Sample Reporter</org_name>
    <email>report_sender@example-reporter.com</email><extra_contact_info>...</extra_contact_info>
    <report_id>3v98abbp8ya9n3va8yr8oa3ya</report_id>
    <date_range><begin>1732665600</begin><end>1732751999</end></date_range>
  </report_metadata>
  <policy_published><domain>Example.COM</domain><p>quarantine</p><sp>none</sp><pct>100</pct>
  </policy_published>
  <extension><ext:arc-override>never<record/></ext:arc-override></extension>
  <record>
    <row><source_ip>192.168.4.4</source_ip><count>123</count>
      <policy_evaluated><disposition>pass</disposition><dkim>pass</dkim><spf>fail</spf>
      </policy_evaluated></row>
    <identifiers><envelope_from>example.com</envelope_from>
      <header_from>example.com</header_from></identifiers>
    <auth_results>
      <dkim><domain>example.com</domain><result>pass</result><selector>abc123</selector></dkim>
      <spf><domain>example.com</domain><result>fail</result></spf>
    </auth_results>
  </record>
</feedback>
"""


def document(*records: Record, metadata: Metadata = METADATA) -> bytes:
    return b"".join(write_report(metadata, PUBLISHED, records, "mailserver"))


def test_what_is_written_is_read_again() -> None:
    read = parse_report(document(RECORD, BARE))
    assert read == AggregateReport(METADATA, PUBLISHED, (RECORD, BARE))
    assert not RECORD.failed and BARE.failed


def test_an_independent_parser_sees_the_elements_in_order() -> None:
    root = ElementTree.fromstring(document(RECORD))
    space = f"{{{NAMESPACE}}}"
    assert [one.tag.removeprefix(space) for one in root] == [
        "version",
        "report_metadata",
        "policy_published",
        "record",
    ]
    record = root.find(f"{space}record")
    assert record is not None
    assert [one.tag.removeprefix(space) for one in record] == ["row", "identifiers", "auth_results"]
    assert root.findtext(f".//{space}discovery_method") == "treewalk"
    assert root.findtext(f".//{space}org_name") == "Us & <them>"


def test_the_example_of_the_standard_is_read() -> None:
    read = parse_report(RECEIVED)
    assert read.metadata.report_id == "3v98abbp8ya9n3va8yr8oa3ya"
    assert read.published == Published("example.com", "quarantine", "none")
    (record,) = read.records
    assert (record.source, record.count, record.disposition) == ("192.168.4.4", 123, "pass")
    assert record.signatures == (SignatureResult("example.com", "abc123", "pass"),)
    assert record.spf_domains == (SpfDomain("example.com", "fail"),)


def test_older_forms_without_namespace_or_with_prefix_are_read() -> None:
    plain = RECEIVED.replace(b' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"', b"")
    assert parse_report(plain).records == parse_report(RECEIVED).records
    prefixed = plain.replace(b"<feedback", b'<d:feedback xmlns:d="urn:y"')
    prefixed = prefixed.replace(b"</feedback", b"</d:feedback")
    assert parse_report(prefixed).records == parse_report(RECEIVED).records


BILLION = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>
<feedback><report_metadata><org_name>&b;</org_name></report_metadata></feedback>"""
EXTERNAL = b"""<!DOCTYPE f SYSTEM "file:///etc/passwd"><feedback/>"""


@pytest.mark.parametrize(
    "hostile",
    [
        BILLION,
        EXTERNAL,
        RECEIVED.replace(b"<feedback", b'<!DOCTYPE feedback SYSTEM "x.dtd"><feedback', 1),
        RECEIVED.replace(b"<feedback", b'<!DOCTYPE f [<!ENTITY a "b">]><feedback', 1),
        b"<feedback>&a;</feedback>",
        b"",
        b"text",
        b"<feedback>",
        b"<feedback/>",
        b"<feedback><policy_published><domain>a.test</domain></policy_published></feedback>",
        b"<?xml version='1.0' encoding='nonsense'?><feedback/>",
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<feedback>" + b"<record/>" * 50_001 + b"</feedback>",
        b"\xff\xfe\x00",
    ],
)
def test_hostile_documents_are_refused(hostile: bytes) -> None:
    with pytest.raises(ReportUnreadable):
        parse_report(hostile)


def test_elements_where_none_belong_disturb_nothing() -> None:
    odd = RECEIVED.replace(b"<record>", b"<record/><record>x</record><record>", 1)
    odd = odd.replace(b"<auth_results>", b"<auth_results><spf/><spf>x</spf><dkim>y</dkim>")
    assert parse_report(odd).records == parse_report(RECEIVED).records


def test_what_nobody_reads_takes_no_memory() -> None:
    noise = b"".join(b"<e%d>x</e%d>" % (n, n) for n in range(100_000))
    many = b"<spf><domain>a.test</domain></spf>" * 5_000
    odd = RECEIVED.replace(b"<identifiers>", noise + b"<identifiers>").replace(
        b"<spf>", many + b"<spf>"
    )
    tracemalloc.start()
    read = parse_report(odd)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read.records[0].spf_domains) == 100 and kept < 500_000


def test_long_texts_are_cut() -> None:
    long = replace(METADATA, organisation="x" * 100_000)
    assert len(parse_report(document(metadata=long)).metadata.organisation) == 2_000


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_survives_or_is_replaced(organisation: str, comment: str) -> None:
    metadata = replace(METADATA, organisation=organisation)
    record = replace(RECORD, reasons=(("other", comment),))
    read = parse_report(document(record, metadata=metadata))
    assert read.published == PUBLISHED and len(read.records) == 1


@given(st.binary(max_size=200))
def test_no_bytes_disturb(data: bytes) -> None:
    for call in (parse_report, unpack):
        try:
            call(data)
        except (ReportUnreadable, ArchiveRefused):
            pass


def zipped(data: bytes, method: int = zipfile.ZIP_DEFLATED, name: str = "a!b!1!2.xml") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("folder/", "")
        archive.writestr(name, data)
    return made.getvalue()


def flagged(packed: bytes, flag: int) -> bytes:
    """A zip archive whose files have a general purpose flag set, in both of their headers."""
    made = bytearray(packed)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = packed.find(mark)
        while at >= 0:
            made[at + place] |= flag
            at = packed.find(mark, at + 4)
    return bytes(made)


@pytest.mark.parametrize("flag", [0x01, 0x20, 0x40], ids=["password", "patched", "encrypted"])
def test_archives_that_nobody_can_read_are_refused(flag: int) -> None:
    assert unpack(flagged(zipped(RECEIVED), 0)) == RECEIVED
    with pytest.raises(ArchiveRefused):
        unpack(flagged(zipped(RECEIVED), flag))


def test_archives_are_unpacked() -> None:
    for packed in (gzip.compress(RECEIVED), zipped(RECEIVED), RECEIVED):
        assert unpack(packed) == RECEIVED
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"


def far(packed: bytes) -> bytes:
    """Its directory is said to stand before its beginning."""
    end = packed.rfind(b"PK\x05\x06")
    return packed[: end + 12] + b"\xff" * 4 + packed[end + 16 :]


BROKEN = {
    "a name that is no UTF-8": zipped(RECEIVED, name="ü").replace("ü".encode(), b"\xff\xff"),
    "a directory before the beginning": far(zipped(RECEIVED)),
    "many empty members": gzip.compress(b"") * 50_000,
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_archives_raise_one_kind_of_error(what: str) -> None:
    with pytest.raises(ArchiveRefused):
        unpack(BROKEN[what])


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_archive, "MAX_UNPACKED", 1_000)
    assert unpack(gzip.compress(bytes(1_000))) == bytes(1_000)
    for bomb in (
        gzip.compress(bytes(1_001)),
        zipped(bytes(1_001)),
        gzip.compress(bytes(600)) + gzip.compress(bytes(600)),
        gzip.compress(RECEIVED)[:-9],
        zipped(RECEIVED)[:-30],
        zipped(RECEIVED, zipfile.ZIP_BZIP2),
        b"PK\x03\x04",
    ):
        with pytest.raises(ArchiveRefused):
            unpack(bomb)
    monkeypatch.setattr(report_archive, "MAX_UNPACKED", 10**9)
    with pytest.raises(ArchiveRefused):
        unpack(gzip.compress(bytes(2_000_000)))
    monkeypatch.setattr(report_archive, "MAX_PACKED", 10)
    with pytest.raises(ArchiveRefused):
        unpack(bytes(11))
    assert zlib.crc32(b"") == 0


def mail(**changes: str) -> ReportMail:
    made = ReportMail(
        sender="postmaster@mx.test",
        recipient="rua@example.com",
        subject="Report Domain: example.com Submitter: mx.test Report-ID: <1.example.com>",
        message_id="1.example.com@mx.test",
        now=datetime(2026, 1, 2, tzinfo=UTC),
        text="A report.\n",
        attachment=gzip.compress(RECEIVED),
        filename="mx.test!example.com!1732665600!1732751999.xml.gz",
        content_type="application/gzip",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("report_type", ["", "tlsrpt"])
def test_the_mail_is_read_by_others_and_by_us(report_type: str) -> None:
    built = build_report_mail(mail(report_type=report_type))
    assert built.isascii() and built.count(b"\n") == built.count(b"\r\n")
    assert max(map(len, built.split(b"\r\n"))) <= 998
    read = message_from_bytes(built, policy=policy.default)
    assert read["Subject"] == mail().subject and not read.defects
    (attached,) = read.iter_attachments()
    assert attached.get_filename() == mail().filename
    assert gzip.decompress(attached.get_content()) == RECEIVED
    assert list(attachments(built)) == [RECEIVED]


def test_attachments_with_odd_types_are_found_by_name() -> None:
    odd = build_report_mail(mail(content_type="text/plain", filename="a!b!1!2.XML"))
    assert list(attachments(odd)) == [RECEIVED]
    other = build_report_mail(mail(content_type="image/png", filename="a.png"))
    assert list(attachments(other)) == []
