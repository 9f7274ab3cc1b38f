"""Verification: the standards' examples, each way to be wrong, keys of every size, and bounds."""

import base64
import time

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from message.dkim_body import BodyDigest, BodyForm, body_hashes
from message.dkim_header import Header
from message.dkim_key import key_of, parse_key
from message.dkim_sign import sign, signed_field
from message.dkim_signature import parse_signature
from message.dkim_signing_key import Algorithm
from message.dkim_tags import DkimFault, Status
from message.dkim_verify import MAX_CHECKED, candidates, verify
from tests.support.dkim_messages import (
    BODY,
    HEADER,
    checked,
    key,
    parted,
    records,
    signed,
    statuses,
)
from tests.support.dkim_peer import PEM, RECORD

PASS, FAIL, POLICY = Status.PASS, Status.FAIL, Status.POLICY
NEUTRAL, PERMERROR = Status.NEUTRAL, Status.PERMERROR
RSA = key(Algorithm.RSA)
FORM = BodyForm(relaxed=True)

RFC8463 = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")
RFC8463_KEYS = {
    "brisbane._domainkey.football.example.com": [
        b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    ],
    "test._domainkey.football.example.com": [
        (
            b"v=DKIM1; k=rsa; p="
            b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
            b"Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
            b"j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
        )
    ],
}
RFC6376 = b"""\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")
RFC6376_KEYS = {
    "brisbane._domainkey.example.com": [
        (
            b"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLn"
            b"Qg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gb"
            b"to/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
        )
    ]
}


def test_example_of_rfc_8463() -> None:
    """Appendix A."""
    assert checked(RFC8463, RFC8463_KEYS) == [(PASS, ""), (PASS, "")]
    assert statuses(RFC8463.replace(b"lost", b"won"), RFC8463_KEYS) == [FAIL, FAIL]


def test_example_of_rfc_6376() -> None:
    """Appendix A.2 with the key of appendix C; one blank where its layout has two."""
    assert checked(RFC6376, RFC6376_KEYS) == [(PASS, "")]
    for changed in (RFC6376.replace(b"Subject: Is", b"Subject:  Is"), RFC6376 + b"."):
        assert statuses(changed, RFC6376_KEYS) == [FAIL]


def one(before: bytes = b"", after: bytes = b"") -> tuple[Status, str]:
    """The status of an RSA signature after a change to its field."""
    message = signed(HEADER, BODY, RSA)
    assert before in message
    return checked(message.replace(before, after, 1))[0]


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (b"v=1; ", b"", NEUTRAL),
        (b"v=1;", b"v=2;", NEUTRAL),
        (b"v=1;", b"v=1; v=1;", NEUTRAL),
        (b"v=1;", b"v=1;;", NEUTRAL),
        (b"v=1;", b"v=1; junk;", NEUTRAL),
        (b"v=1;", b"v=1; q=dns/other;", NEUTRAL),
        (b"v=1;", b"v=1; q=dns/other:dns/txt;", FAIL),
        (b"v=1;", b"v=1; z=From:x|To:y;", FAIL),
        (b"v=1;", b"v=1; i=other@example.com;", NEUTRAL),
        (b"v=1;", b"v=1; i=@xexample.org;", NEUTRAL),
        (b"v=1;", b"v=1; i=nobody;", NEUTRAL),
        (b"v=1;", b"v=1; x=1;", NEUTRAL),
        (b"v=1;", b"v=1; l=-1;", NEUTRAL),
        (b"v=1;", b"v=1; l=" + b"9" * 77 + b";", NEUTRAL),
        (b"v=1;", b"v=1; l=" + b"9" * 76 + b";", FAIL),
        (b" a=rsa-sha256;", b"", NEUTRAL),
        (b"rsa-sha256", b"rsa-md5", NEUTRAL),
        (b"rsa-sha256", b"rsa-sha1", PERMERROR),
        (b"rsa-sha256", b"ed25519-sha256", PERMERROR),
        (b"relaxed/relaxed", b"relaxed/loose", NEUTRAL),
        (b"relaxed/relaxed", b"relaxed", FAIL),
        (b"d=example.org", b"d=..", NEUTRAL),
        (b"d=example.org", b"d=example.net", PERMERROR),
        (b"s=rsa", b"s=", NEUTRAL),
        (b"s=rsa", b"s=a/b", NEUTRAL),
        (b" t=1", b" t=x1", NEUTRAL),
        (b"h=from:from", b"h=x:y", PERMERROR),
        (b" bh=", b" bh=!", NEUTRAL),
        (b" bh=", b" nobh=", NEUTRAL),
        (b" b=", b" b=****", NEUTRAL),
        (b" b=", b" b=AAAA", FAIL),
        (b" b=", b" nob=", NEUTRAL),
        (b"From:", b"From2:", FAIL),
    ],
)
def test_each_way_to_be_wrong(before: bytes, after: bytes, status: Status) -> None:
    found, reason = one(before, after)
    assert found is status
    assert reason
    assert reason.isascii()
    assert len(reason) < 80


@pytest.mark.parametrize(
    ("record", "status", "reason"),
    [
        (b"", PERMERROR, "no key"),
        (b"v=DKIM1; p=", PERMERROR, "revoked"),
        (b"v=DKIM1; n=x", PERMERROR, "no key"),
        (b"v=DKIM2; p=%p", PERMERROR, "DKIM1"),
        (b"p=%p; v=DKIM1", PERMERROR, "DKIM1"),
        (b"v=spf1 -all", PERMERROR, ""),
        (b"v=DKIM1; h=sha1; p=%p", PERMERROR, "sha256"),
        (b"v=DKIM1; s=tlsrpt; p=%p", PERMERROR, "mail"),
        (b"v=DKIM1; k=dsa; p=%p", PERMERROR, "type"),
        (b"v=DKIM1; k=ed25519; p=%p", PERMERROR, "Ed25519"),
        (b"v=DKIM1; p=AAAA", PERMERROR, "RSA"),
        (b"v=DKIM1; p=???", PERMERROR, "base64"),
        (b"v=DKIM1; n=" + b"x" * 5000 + b"; p=%p", PERMERROR, "long"),
        (b"v=DKIM1; t=y; p=%p", PASS, "testing"),
        (b"v=DKIM1; t=s; p=%p", PASS, ""),
        (b"v=DKIM1; h=sha1 : sha256; k=rsa; s=email; n=note; g=*; p=%p;", PASS, ""),
        (b" p = %p ", PASS, ""),
    ],
)
def test_key_records(record: bytes, status: Status, reason: str) -> None:
    public = RSA.record.partition("p=")[2].encode()
    answers = [record.replace(b"%p", public)] if record else []
    found = checked(signed(HEADER, BODY, RSA), {RSA.name: answers})[0]
    assert found[0] is status
    assert reason in found[1]


def test_records_beside_the_key_do_no_harm() -> None:
    public = RSA.record.encode()
    assert checked(signed(HEADER, BODY, RSA), {RSA.name: [b"v=spf1 -all", public]}) == [(PASS, "")]
    assert statuses(signed(HEADER, BODY, RSA), {RSA.name: [b"x"] * 5 + [public]}) == [PERMERROR]


def test_a_failure_in_testing_is_no_failure() -> None:
    record = RSA.record.replace("v=DKIM1;", "v=DKIM1; t=y:s;").encode()
    message = signed(HEADER, BODY, RSA).replace(b"Second", b"Third")
    found = checked(message, {RSA.name: [record]})
    assert found == [(NEUTRAL, "the body was changed (the key is in testing)")]


def test_domains_in_unicode() -> None:
    """RFC 8616 §5: U-labels in the field, A-labels in DNS."""
    value = "v=1; a=rsa-sha256; d=Bücher.example; s=größe; h=from; bh=AAAA; b=AAAAAAAAAAAA"
    found = parse_signature(value.encode())
    assert found.key_name == "xn--gre-6ka8i._domainkey.xn--bcher-kva.example"
    assert found.tag == "AAAAAAAA"


def test_strict_keys_take_no_subdomains() -> None:
    fields = sign(HEADER, [BODY], [RSA], int(time.time()), identity="@sub.example.org")
    message = b"".join(fields) + HEADER + b"\r\n" + BODY
    strict = RSA.record.replace("v=DKIM1;", "v=DKIM1; t=s;").encode()
    assert statuses(message) == [PASS]
    assert statuses(message, {RSA.name: [strict]}) == [PERMERROR]


def rsa_record(bits: int, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    public = generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return b"v=DKIM1; p=" + base64.b64encode(public.public_bytes(Encoding.DER, form))


def test_sizes_of_rsa_keys() -> None:
    """RFC 8301 §3.2. The bare RSAPublicKey of RFC 6376 is read as well."""
    for bits in (1024, 2048):
        for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
            assert parse_key(rsa_record(bits, form)).key is not None
    short = (
        b"p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALrzuI/WBj3hA3A6wuZPbr6gcr8EpbRHCQN+Tk2ahc0C8cbqiz"
        b"lLqEQb9xTV5S2ri0mWeGMTNuWmFBC4cAVeKS8CAwEAAQ=="
    )
    with pytest.raises(DkimFault) as caught:
        parse_key(short)
    assert caught.value.status is PERMERROR


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        (768, "RSA key of 768 bits"),
        (1016, "RSA key of 1016 bits"),
        (4104, "RSA key of 4104 bits"),
        # by their length alone, before they are read
        (8192, "RSA key of more than 4096 bits"),
        (16384, "RSA key of more than 4096 bits"),
    ],
)
def test_keys_too_short_and_too_long_are_refused(bits: int, reason: str) -> None:
    modulus = der(2, b"\0" + b"\xc5" * (bits // 8))
    record = b"v=DKIM1; p=" + base64.b64encode(der(0x30, modulus + b"\x02\x03\x01\x00\x01"))
    with pytest.raises(DkimFault, match=reason) as caught:
        parse_key(record)
    assert caught.value.status is PERMERROR


def test_a_huge_exponent_is_refused() -> None:
    exponent = der(2, b"\x75" * 100)
    record = b"v=DKIM1; p=" + base64.b64encode(der(0x30, der(2, b"\0" + b"\xc5" * 256) + exponent))
    with pytest.raises(DkimFault, match="exponent"):
        parse_key(record)


def test_read_keys_are_kept() -> None:
    record = RSA.record.encode()
    assert key_of([record]) is key_of([bytes(record)])


def with_length(length: int, body: bytes) -> bytes:
    """A signature by dkimpy, which still makes l=, of BODY; then the body is exchanged."""
    made = dkim.DKIM(HEADER + b"\r\n" + BODY[:length])
    field = made.sign(
        b"rsa", b"example.org", PEM, canonicalize=(b"relaxed", b"simple"), length=True
    )
    return bytes(field) + HEADER + b"\r\n" + body


@pytest.mark.parametrize(
    ("length", "added", "status", "unsigned"),
    [
        (len(BODY), b"", PASS, 0),
        (len(BODY), b"An advertisement\r\n", POLICY, 18),
        (17, b"", POLICY, 15),
    ],
)
def test_what_l_leaves_unsigned_is_no_pass(
    length: int, added: bytes, status: Status, unsigned: int
) -> None:
    body = BODY.rstrip() + b"\r\n" + added if added else BODY
    message = with_length(length, body)
    answers = {"rsa._domainkey.example.org": [RECORD]}
    found, reason = checked(message, answers)[0]
    assert found is status
    assert reason == (f"l= leaves {unsigned} octets unsigned" if unsigned else "")


def test_a_length_beyond_the_body_is_no_pass() -> None:
    """RFC 6376 §3.5, l=: it must not be larger than the body."""
    digest = base64.b64encode(body_hashes([BODY], [FORM])[FORM].digest)
    header = Header(HEADER)
    total = len(b"Hello there.\r\n\r\nSecond line\r\n")
    for length, status in ((total, PASS), (total + 1, FAIL)):
        tags = [b"v=1", b"a=rsa-sha256", b"c=relaxed/relaxed", b"d=example.org", b"s=rsa"]
        tags += [b"h=from", b"l=%d" % length, b"bh=" + digest, b"b="]
        covered = header.forms(header.chosen([b"from"]), relaxed=True)
        field = signed_field(b"DKIM-Signature", tags, covered, RSA)
        assert statuses(field + HEADER + b"\r\n" + BODY) == [status]


def test_a_thousand_signatures() -> None:
    """Eight are looked at, those of the author's domain among them wherever they stand."""
    good = signed(HEADER, BODY, RSA)
    field = good[: good.index(b"Received:")]
    other = field.replace(b"d=example.org", b"d=spam.test")
    block = other * 700 + field + other * 299 + HEADER
    header = Header(block)
    found, left = candidates(header, int(time.time()))
    assert len(found) == MAX_CHECKED
    assert left == 1000 - MAX_CHECKED
    assert [one.about.domain for one in found] == ["spam.test"] * 7 + ["example.org"]
    found_statuses = statuses(block + b"\r\n" + BODY)
    assert found_statuses == [PERMERROR] * 7 + [PASS]


@pytest.mark.parametrize(
    "value",
    [
        b"v=1; h=" + b":".join([b"from"] * 12_000) + b"; a=rsa-sha256",
        b"".join(b"t%d=x;" % n for n in range(9_000)),
        b"v=1" + b";" * 60_000,
        b"=" * 60_000,
        b"v=1;" + b" \r\n " * 15_000,
        b"v=1; b=" + b"A" * 1_000_000,
    ],
    ids=["names", "tags", "semicolons", "equals", "folds", "long"],
)
def test_huge_tag_lists_cost_little(value: bytes) -> None:
    """Each is read in a few milliseconds, which no assertion times: the whole would not end."""
    for _ in range(20):
        with pytest.raises(DkimFault):
            parse_signature(value)


def test_many_names_and_many_fields() -> None:
    header = Header(b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"X-1: z\r\n" * 5_000)
    names = [b"x-1"] * 12_000
    assert len(header.chosen(names)) == 5_001
    assert header.chosen(names) == sorted(header.chosen(names), reverse=True)


def test_digest_of_another_form_is_no_pass() -> None:
    message = signed(HEADER, BODY, RSA)
    header, _ = parted(message)
    candidate = candidates(header, int(time.time()))[0][0]
    public = key_of(records(RSA)[RSA.name])
    assert verify(header, candidate, public, BodyDigest(b"", 0))[0] is FAIL
