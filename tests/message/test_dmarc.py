"""DMARC without the network: records, tree walk, policy, alignment, the author's domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.author import Author, author_of
from message.dmarc import (
    MAX_QUERIES,
    Applied,
    Found,
    Source,
    apply,
    ends_walk,
    governing,
    is_aligned,
    organizational_domain,
    walk_names,
)
from message.dmarc_record import Mode, Policy, Psd, Record, parse_record, parse_uris, select_record


def walk(start: str, zone: dict[str, str]) -> list[Found]:
    """What the tree walk finds in a zone of records by domain."""
    found = []
    for name in walk_names(start):
        record = select_record([zone[name].encode()]) if name in zone else None
        if record is not None:
            found.append(Found(name, record))
            if ends_walk(record):
                break
    return found


def decide(author: str, zone: dict[str, str], *, exists: bool = True) -> Applied | None:
    found = governing(author, walk(author, zone))
    return None if found is None else apply(author, found, exists=exists)


def organization(domain: str, zone: dict[str, str]) -> str:
    return organizational_domain(domain, walk(domain, zone))


def test_a_whole_record() -> None:
    record = parse_record(
        b"v=DMARC1; p=reject; sp=quarantine; np=none; psd=n; t=y; adkim=s; aspf=s; fo=d:s;"
        b" rua=mailto:a@example.com!10m,mailto:b%2Bc@example.org; ruf=https://example.com/;"
        b" pct=5; rf=afrf; ri=3600; colour=red"
    )
    assert record is not None
    assert (record.p, record.sp, record.np) == (Policy.REJECT, Policy.QUARANTINE, Policy.NONE)
    assert (record.psd, record.testing) == (Psd.NO, True)
    assert (record.adkim, record.aspf, record.fo) == (Mode.STRICT, Mode.STRICT, frozenset("ds"))
    assert [(one.address, one.limit) for one in record.rua] == [
        ("a@example.com", 10 * 1024**2),
        ("b+c@example.org", 0),
    ]
    assert [one.address for one in record.ruf] == [""]
    assert record.usable and not record.faulty


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1",
        "v=DMARC1;",
        "v = DMARC1 ; p = none",
        "  v=DMARC1;p=none",
        "v=DMARC1; p=NONE; adkim=S; broken; =; ;;",
    ],
)
def test_what_is_a_record(text: str) -> None:
    assert parse_record(text.encode()) is not None


@pytest.mark.parametrize(
    "text", ["", "v=DMARC2; p=reject", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=DMARC1 p=none"]
)
def test_what_is_none(text: str) -> None:
    assert parse_record(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "usable", "policy"),
    [
        ("v=DMARC1; p=reject", True, Policy.REJECT),
        ("v=DMARC1; p=wrong", False, Policy.NONE),
        ("v=DMARC1; p=wrong; rua=mailto:a@example.com", True, Policy.NONE),
        ("v=DMARC1; rua=mailto:a@example.com", True, Policy.NONE),
        ("v=DMARC1; p=reject; sp=wrong", False, Policy.NONE),
        ("v=DMARC1; p=reject; np=wrong; rua=mailto:a@example.com", True, Policy.NONE),
        ("v=DMARC1; p=reject; adkim=wrong; psd=maybe; fo=x", True, Policy.REJECT),
        ("v=DMARC1; p=; rua=nothing", False, Policy.NONE),
    ],
)
def test_policies_that_are_not_valid(text: str, usable: bool, policy: Policy) -> None:
    record = parse_record(text.encode())
    assert record is not None
    assert (record.usable, record.p) == (usable, policy)
    assert (record.adkim, record.psd, record.fo) == (Mode.RELAXED, Psd.UNKNOWN, frozenset("0"))


def test_several_records_are_none_and_other_text_is_passed_over() -> None:
    other = [b"v=spf1 -all", b"verification=1"]
    assert select_record([*other, b"v=DMARC1; p=reject"]) == Record(p=Policy.REJECT)
    assert select_record([*other, b"v=DMARC1; p=reject", b"v=DMARC1; p=none"]) is None
    assert select_record(other) is None


def test_report_addresses_that_are_not_valid_are_left_out() -> None:
    uris = parse_uris("mailto:a@example.com, mailto:no-at, mailto:b@example.com!1x, ,mailto:c@x!2K")
    assert [(one.address, one.limit) for one in uris] == [
        ("a@example.com", 0),
        ("", 0),
        ("c@x", 2048),
    ]
    assert parse_uris("mailto:a@b%0d%0aBcc:x@y")[0].address == ""


def test_the_walk_of_the_standard() -> None:
    assert walk_names("a.b.c.d.e.f.g.h.i.j.mail.example.com") == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    assert walk_names("a.mail.example.com")[-1] == "com"
    assert walk_names("com") == ["com"]


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=1, max_size=60))
def test_the_walk_is_bounded_and_goes_up(labels: list[str]) -> None:
    domain = ".".join(labels)
    names = walk_names(domain)
    assert names[0] == domain and len(names) <= MAX_QUERIES
    assert len(names) == min(len(labels), MAX_QUERIES)
    assert all(domain == name or domain.endswith(f".{name}") for name in names)
    sizes = [name.count(".") for name in names]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(sizes)


def test_organizational_domains() -> None:
    both = {"mail.example.com": "v=DMARC1;p=none", "example.com": "v=DMARC1;p=none"}
    assert organization("a.mail.example.com", both) == "example.com"
    assert organization("a.mail.example.com", {"com": "v=DMARC1;psd=y"}) == "example.com"
    assert organization("example.com", {}) == "example.com"
    assert organization("a.mail.example.com", {}) == "a.mail.example.com"
    own = {"mail.example.com": "v=DMARC1;p=none;psd=n", "example.com": "v=DMARC1;p=none"}
    assert organization("a.mail.example.com", own) == "mail.example.com"
    suffix = {"bank": "v=DMARC1;p=reject;psd=y", "giant.bank": "v=DMARC1;p=none"}
    assert organization("mail.giant.bank", suffix) == "giant.bank"
    assert organization("bank", suffix) == "bank"
    # a suffix that forgot to say so takes all of its domains for one organization
    assert organization("a.example.com", {"com": "v=DMARC1;p=none"}) == "com"


def test_the_first_record_that_decides_is_taken() -> None:
    """Whatever stands above it."""
    above = Found("example.com", Record())
    own = Found("a.example.com", Record(psd=Psd.NO))
    assert organizational_domain("x.a.example.com", [own, above]) == "a.example.com"
    suffix = Found("a.example.com", Record(psd=Psd.YES))
    assert organizational_domain("x.a.example.com", [suffix, above]) == "x.a.example.com"
    assert ends_walk(own.record) and ends_walk(suffix.record) and not ends_walk(above.record)


def test_what_lies_too_deep_is_not_found() -> None:
    """The standard's note on large organizations (RFC 9989 §5.1.8)."""
    author = "mail.a.b.c.d.e.f.g.example.com"
    zone = {
        "example.com": "v=DMARC1;p=none;sp=quarantine",
        "b.c.d.e.f.g.example.com": "v=DMARC1;p=reject;psd=n",
    }
    applied = decide(author, zone)
    assert applied is not None and applied.found.domain == "example.com"
    applied = decide(author, {**zone, author: "v=DMARC1;p=reject"})
    assert applied is not None and applied.found.domain == author


def test_the_policy_of_author_organization_and_suffix() -> None:
    zone = {
        "example.com": "v=DMARC1;p=reject;sp=quarantine;np=none",
        "own.example.com": "v=DMARC1;p=none",
        "bank": "v=DMARC1;p=none;sp=quarantine;np=reject;psd=y",
    }

    def chosen(author: str, *, exists: bool = True) -> tuple[Policy, Source, str] | None:
        applied = decide(author, zone, exists=exists)
        if applied is None:
            return None
        return applied.policy, applied.source, applied.found.domain

    assert chosen("example.com") == (Policy.REJECT, Source.P, "example.com")
    assert chosen("a.example.com") == (Policy.QUARANTINE, Source.SP, "example.com")
    assert chosen("a.example.com", exists=False) == (Policy.NONE, Source.NP, "example.com")
    assert chosen("own.example.com", exists=False) == (Policy.NONE, Source.P, "own.example.com")
    assert chosen("a.own.example.com") == (Policy.QUARANTINE, Source.SP, "example.com")
    assert chosen("giant.bank") == (Policy.QUARANTINE, Source.SP, "bank")
    assert chosen("giant.bank", exists=False) == (Policy.REJECT, Source.NP, "bank")
    assert chosen("mail.giant.bank") == (Policy.QUARANTINE, Source.SP, "bank")
    assert chosen("bank") == (Policy.NONE, Source.P, "bank")
    assert chosen("example.org") is None


def test_absent_subdomain_policies_fall_back() -> None:
    for exists in (True, False):
        applied = decide("a.example.com", {"example.com": "v=DMARC1;p=reject"}, exists=exists)
        assert applied is not None
        assert (applied.policy, applied.source) == (Policy.REJECT, Source.P)
    applied = decide("a.b.c", {"b.c": "v=DMARC1;p=none;sp=reject"}, exists=False)
    assert applied is not None and applied.policy is Policy.REJECT


@pytest.mark.parametrize(
    ("written", "policy"),
    [("reject", Policy.QUARANTINE), ("quarantine", Policy.NONE), ("none", Policy.NONE)],
)
def test_a_policy_under_test_is_lowered_by_one_step(written: str, policy: Policy) -> None:
    applied = decide("example.com", {"example.com": f"v=DMARC1;p={written};t=y"})
    assert applied is not None
    assert (applied.asked, applied.policy) == (Policy(written), policy)


def test_alignment() -> None:
    same = ("example.com", "example.com")
    assert is_aligned(Mode.STRICT, "a.example.com", "a.example.com", same)
    assert not is_aligned(Mode.STRICT, "a.example.com", "example.com", same)
    assert is_aligned(Mode.RELAXED, "a.example.com", "b.example.com", same)
    assert not is_aligned(Mode.RELAXED, "a.example.com", "example.net", ("example.com", "x.net"))


@pytest.mark.parametrize(
    ("fields", "domains"),
    [
        ("From: Ada <ada@Example.COM>", ["example.com"]),
        ("From: ada@example.com.", ["example.com"]),
        ("From: a@example.com, b@EXAMPLE.com", ["example.com"]),
        ("From: a@one.example, b@two.example", ["one.example", "two.example"]),
        ("From: a@one.example\r\nFROM : b@two.example", ["one.example", "two.example"]),
        ('From: "ceo@bank.example" <x@evil.example>', ["evil.example"]),
        ("From: ceo@bank.example <x@evil.example>", ["evil.example"]),
        ("From: <ceo@bank.example> <x@evil.example>", ["bank.example", "evil.example"]),
        ('From: "<a@b.example>" (<c@d.example>) <x@evil.example>', ["evil.example"]),
        ("From: team: a@one.example, b@one.example;", ["one.example"]),
        ("From: undisclosed:;", []),
        ("From: ada", []),
        ("From:", []),
        ("Subject: From: a@b.example", []),
        ("From: a@[192.0.2.1]", []),
        ("From: a@-bad-.example", []),
        ("From:\r\n ada@example.com", ["example.com"]),
        ("From: ada@m\u00fcnchen.example", ["xn--mnchen-3ya.example"]),
        ("From: ada@XN--MNCHEN-3YA.example", ["xn--mnchen-3ya.example"]),
        ("From: =?utf-8?q?ceo=40bank=2Eexample?= <x@evil.example>", ["evil.example"]),
    ],
)
def test_the_authors_domain(fields: str, domains: list[str]) -> None:
    author = author_of(f"{fields}\r\nSubject: x\r\n".encode())
    assert list(author.domains) == domains
    assert author.domain == (domains[0] if len(domains) == 1 else "")


@given(st.binary(max_size=300))
def test_no_bytes_disturb(data: bytes) -> None:
    parse_record(b"v=DMARC1;" + data)
    parse_uris(data.decode("latin-1"))
    author_of(b"From: " + data)


def test_long_hostile_fields_cost_little() -> None:
    for piece in (b"<@", b'"', b"(", b"a@b,", b"<a@b> ", b"=?", b"\\"):
        assert author_of(b"From: " + piece * 20_000 + b"\r\n").domain == ""


def test_more_than_is_read_may_hold_other_domains() -> None:
    one = b"From: a@example.com\r\n"
    assert author_of(one * 3).domain == "example.com"
    assert author_of(one * 4) == Author(("example.com",), 4, excessive=True)
    assert author_of(one * 4).several and not author_of(one * 3).several
    assert author_of(b"From: " + b"a@example.com, " * 400 + b"b@other.test\r\n").several
