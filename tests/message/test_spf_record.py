"""SPF records and macro strings: what is a term and what isn't; the examples of RFC 7208 §7.4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.spf_macro import (
    SpfSyntaxError,
    parse_domain_spec,
    parse_explanation,
    parse_macro_string,
    target_name,
)
from message.spf_record import Mechanism, Qualifier, RecordParser, parse_record, select_record

VALUES = {
    "s": "strong-bad@email.example.com",
    "l": "strong-bad",
    "o": "email.example.com",
    "d": "email.example.com",
    "i": "192.0.2.3",
    "v": "in-addr",
    "p": "mx.example.org",
    "h": "helo.example.org",
    "c": "192.0.2.3",
    "r": "mx.example.test",
    "t": "1000000000",
}
TERMS = [
    *("all", "-all", "~ALL", "ip4:192.0.2.0/24", "ip4:1.2.3.4", "ip6:2001:db8::/32", "ip6:::1"),
    *("a", "a/24", "a//64", "a/24//64", "a:x.test", "a:x.test/0//0", "mx:%{d}/24", "?mx", "ptr"),
    *("ptr:x.test", "include:x.test.", "exists:%{ir}.%{v}.x.test", "a:foo:bar/baz.x.test"),
    *("redirect=x.test", "exp=%{d}", "x-y._z=%{l}/=:", "a:%{d}", "a:x%%", "a:x.%-", "a:a.b-c"),
]
BROKEN = [
    *("all.", "all:x", "all/8", "ip4", "ip4:", "ip4:1.2.3", "ip4:1.2.3.4.5", "ip4:1.2.3.04"),
    *("ip4:1.2.3.4/33", "ip4:1.2.3.4/032", "ip4:1.2.3.4//32", "ip4:256.1.1.1", "ip6:1.2.3.4"),
    *("ip6:::1/129", "ip6:::1//64", "ip6:fe80::1%eth0", "ip6::1", "a:", "a:x", "a:x.", "a:x.1"),
    *("a/", "a//", "a/24/64", "a///64", "a/33", "a//129", "a:x.-test", "a:x.test-", "a:x.te st"),
    *("mx:", "ptr/24", "ptr:", "include", "include:", "include:x.test/24", "exists", "exists:"),
    *("redirect=", "redirect=x", "redirect:x.test", "exp=", "+redirect=x.test", "1x=y", "=y"),
    *("a:%{d", "a:%d", "a:%", "a:%{z}", "a:%{d0}", "a:%{d00r}", "a:%{dr2}", "a:%{d}x", "a:%{c}"),
    *(
        "a:%{d}%%x",
        "x=%{r}",
        "x=%",
        "a:\x7f.test",
        "a:x\t.test",
        "moo",
        "?",
        "-",
        "a\x0d",
        "ptr\x00",
    ),
]


@pytest.mark.parametrize("term", TERMS)
def test_terms(term: str) -> None:
    parse_record(f"v=spf1 {term}".encode())
    parse_record(f"v=spf1  {term.upper()}  -all ".encode())


@pytest.mark.parametrize("term", BROKEN)
def test_an_error_anywhere_is_found(term: str) -> None:
    with pytest.raises(SpfSyntaxError) as error:
        parse_record(f"v=spf1 +all {term}".encode())
    assert str(error.value).isascii() and str(error.value).isprintable()


def test_what_a_directive_says() -> None:
    first, second, last = parse_record(b"v=spf1 -a:X.test/24//64 ip4:192.0.2.1/31 ~all").directives
    assert (first.qualifier, first.mechanism) == (Qualifier.FAIL, Mechanism.A)
    assert first.domain is not None and first.domain.text == "X.test"
    assert (first.four, first.six) == (24, 64)
    assert (second.network, second.four, second.domain) == (0xC0000201, 31, None)
    assert (last.qualifier, last.text) == (Qualifier.SOFTFAIL, "~all")


def test_redirect_and_exp_only_once() -> None:
    record = parse_record(b"v=spf1 redirect=x.test EXP=y.test op=1 op=2")
    assert record.redirect is not None and record.explanation is not None
    for twice in (b"redirect=x.test Redirect=x.test", b"exp=x.test exp=y.test"):
        with pytest.raises(SpfSyntaxError):
            parse_record(b"v=spf1 " + twice)


def test_the_record_among_texts() -> None:
    texts = [b"v=spf10 all", b"v=spf1all", b" v=spf1 a", b"\xff", b"", b"spf1", b"v=spf2.0/pra all"]
    assert select_record(texts) is None
    assert select_record([*texts, b"V=SPF1"]) == b"V=SPF1"
    with pytest.raises(SpfSyntaxError):
        select_record([b"v=spf1 a", b"v=spf1 mx"])
    with pytest.raises(SpfSyntaxError):
        parse_record(b"v=spf1 a:\xc3\xbc.test")


@pytest.mark.parametrize(
    ("macro", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}%%%_%-", "strong-bad%40email.example.com% %20"),
        ("%{d99999999999999999999}", "email.example.com"),
    ],
)
def test_macros(macro: str, expanded: str) -> None:
    assert parse_macro_string(macro).expand(VALUES) == expanded


def test_explanations_may_say_more() -> None:
    text = "%{c} at %{t}, not for %{r}.  "
    assert parse_explanation(text).expand(VALUES) == (
        "192.0.2.3 at 1000000000, not for mx.example.test.  "
    )
    assert parse_explanation("no macro here").expand({}) == "no macro here"


def test_long_names_lose_labels_on_the_left() -> None:
    name = ".".join(["abcdefghi"] * 30) + ".end.test."
    cut = target_name(name)
    assert 243 < len(cut) <= 253
    assert name.endswith(f".{cut}.") and cut.endswith(".end.test")
    fits = "a." + "b" * 63 + "." + ".".join(["c" * 62] * 2) + "." + "d" * 61
    assert len(fits) == 253 and target_name(fits) == fits
    assert target_name("x" + fits) == fits.partition(".")[2]
    assert target_name("x." + fits) == fits


@given(st.binary(max_size=80), st.integers(1, 5))
def test_any_octets_are_a_record_or_an_error(octets: bytes, step: int) -> None:
    try:
        parser = RecordParser(b"v=spf1 " + octets)
        while not parser.step(step):
            pass
    except SpfSyntaxError:
        return
    assert parse_record(b"v=spf1 " + octets) == parser.record


@given(st.text("%{}-_.sldoirvRhx019 ", max_size=40))
def test_any_macro_string_is_expanded_or_an_error(text: str) -> None:
    for parse in (parse_macro_string, parse_domain_spec, parse_explanation):
        try:
            parsed = parse(text)
        except SpfSyntaxError:
            continue
        assert len(parsed.expand(VALUES)) <= 40 * 30
