"""Which chains fit which TLSA records (RFC 7671, RFC 7672), without any network."""

import hashlib
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from message.tls_rpt import ResultType
from net.dns_records import TlsaRecord
from smtp.outbound.dane import presentation, usable, verify
from smtp.outbound.security import TlsFailed
from tests.support.certificates import Issued, issue

NAME = "mx.there.test"
ROOT = issue("root", authority=True)
MIDDLE = issue("middle", ROOT, authority=True)
LEAF = issue("leaf", MIDDLE, dns=(NAME,))
CHAIN = [LEAF.der, MIDDLE.der, ROOT.der]


def record(usage: int, selector: int, matching: int, of: Issued) -> TlsaRecord:
    data = of.spki if selector else of.der
    if matching:
        data = hashlib.new("sha256" if matching == 1 else "sha512", data).digest()
    return TlsaRecord(usage, selector, matching, data)


def fails(
    chain: list[bytes], *records: TlsaRecord, names: tuple[str, ...] = (NAME,), later: float = 0
) -> ResultType:
    with pytest.raises(TlsFailed) as caught:
        verify(chain, usable(records), names, time.time() + later)
    return caught.value.result


def passes(
    chain: list[bytes], *records: TlsaRecord, names: tuple[str, ...] = (NAME,), later: float = 0
) -> None:
    verify(chain, usable(records), names, time.time() + later)


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
class TestEveryForm:
    def test_dane_ee(self, selector: int, matching: int) -> None:
        passes(CHAIN, record(3, selector, matching, LEAF))
        assert fails(CHAIN, record(3, selector, matching, MIDDLE)) is ResultType.VALIDATION_FAILURE

    def test_dane_ta(self, selector: int, matching: int) -> None:
        passes(CHAIN, record(2, selector, matching, ROOT))
        passes(CHAIN, record(2, selector, matching, MIDDLE))
        other = issue("root", authority=True)
        assert fails(CHAIN, record(2, selector, matching, other)) is ResultType.VALIDATION_FAILURE

    def test_pkix_usages_are_unusable(self, selector: int, matching: int) -> None:
        assert usable([record(0, selector, matching, ROOT)]) == ()
        assert usable([record(1, selector, matching, LEAF)]) == ()


def test_dane_ee_ignores_names_and_dates() -> None:
    old = issue("x", dns=("other.test",), days=(-20, -10))
    passes([old.der], record(3, 1, 1, old))


def test_dane_ta_checks_names() -> None:
    passes(CHAIN, record(2, 1, 1, ROOT), names=("there.test", NAME))
    assert fails(CHAIN, record(2, 1, 1, ROOT), names=("b.test",)) is (
        ResultType.CERTIFICATE_HOST_MISMATCH
    )


@pytest.mark.parametrize(
    ("dns", "name", "fits"),
    [
        ("*.there.test", "mx.there.test", True),
        ("*.there.test", "a.mx.there.test", False),
        ("*.there.test", "there.test", False),
        ("*.test", "there.test", False),
        ("m*.there.test", "mx.there.test", False),
        ("MX.There.Test", "mx.there.test.", True),
    ],
)
def test_wildcards(dns: str, name: str, fits: bool) -> None:
    leaf = issue("leaf", ROOT, dns=(dns,))
    if fits:
        passes([leaf.der, ROOT.der], record(2, 0, 1, ROOT), names=(name,))
    else:
        fails([leaf.der, ROOT.der], record(2, 0, 1, ROOT), names=(name,))


def test_common_name_counts_only_without_dns_names() -> None:
    bare, both = issue(NAME, ROOT), issue(NAME, ROOT, dns=("other.test",))
    passes([bare.der, ROOT.der], record(2, 0, 1, ROOT))
    fails([both.der, ROOT.der], record(2, 0, 1, ROOT))


def test_dane_ta_checks_dates() -> None:
    result = fails(CHAIN, record(2, 1, 1, ROOT), later=40 * 86_400)
    assert result is ResultType.CERTIFICATE_EXPIRED


def test_anchor_that_the_host_does_not_show() -> None:
    """RFC 7671 §5.2.2: a whole certificate or key in DNS suffices, a digest can't."""
    shown = [LEAF.der, MIDDLE.der]
    passes(shown, record(2, 0, 0, ROOT))
    passes(shown, record(2, 1, 0, ROOT))
    fails(shown, record(2, 1, 1, ROOT))


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_bare_key_of_other_kinds(kind: str) -> None:
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    root = issue("root", authority=True, key=key)
    leaf = issue("leaf", root, dns=(NAME,))
    passes([leaf.der], record(2, 1, 0, root))
    passes([leaf.der, root.der], record(2, 1, 1, root))


def test_the_host_itself_is_no_trust_anchor() -> None:
    fails(CHAIN, record(2, 1, 1, LEAF))


def test_issuer_must_be_an_authority_and_have_signed() -> None:
    mere = issue("mere", ROOT)
    below = issue("leaf", mere, dns=(NAME,))
    fails([below.der, mere.der, ROOT.der], record(2, 1, 1, ROOT))
    forged = issue("leaf", issue("middle", authority=True), dns=(NAME,))
    fails([forged.der, MIDDLE.der, ROOT.der], record(2, 1, 1, ROOT))
    short = issue("short", authority=True, path_length=0)
    between = issue("between", short, authority=True)
    deep = issue("leaf", between, dns=(NAME,))
    fails([deep.der, between.der, short.der], record(2, 1, 1, short))


def test_order_of_the_chain_and_strangers_do_not_matter() -> None:
    stranger = issue("stranger", authority=True)
    passes([LEAF.der, b"junk", ROOT.der, stranger.der, MIDDLE.der], record(2, 1, 1, ROOT))


def test_many_certificates_of_one_name_end_soon() -> None:
    look_alikes = [issue("middle", authority=True).der for _ in range(19)]
    fails([LEAF.der, *look_alikes], record(2, 1, 1, ROOT))


def test_the_strongest_digest_counts_alone() -> None:
    strong, weak = record(3, 1, 2, MIDDLE), record(3, 1, 1, LEAF)
    assert usable([weak, strong]) == (strong,)
    fails(CHAIN, weak, strong)
    passes(CHAIN, record(3, 1, 0, LEAF), strong)
    passes(CHAIN, record(3, 0, 1, LEAF), strong)


def test_any_of_several_records_suffices() -> None:
    """As during a change of keys: the former and the coming one."""
    passes(CHAIN, record(3, 1, 1, MIDDLE), record(3, 1, 1, LEAF))


@pytest.mark.parametrize(
    "broken",
    [
        TlsaRecord(3, 1, 1, b"\0" * 31),
        TlsaRecord(3, 1, 2, b"\0" * 32),
        TlsaRecord(3, 1, 0, b""),
        TlsaRecord(3, 2, 1, b"\0" * 32),
        TlsaRecord(3, 1, 3, b"\0" * 32),
        TlsaRecord(4, 1, 1, b"\0" * 32),
        TlsaRecord(255, 1, 1, b"\0" * 32),
    ],
)
def test_unusable_records(broken: TlsaRecord) -> None:
    assert usable([broken]) == ()


def test_no_certificate() -> None:
    assert fails([], record(3, 1, 1, LEAF)) is ResultType.VALIDATION_FAILURE
    assert fails([b"junk"], record(3, 1, 1, LEAF)) is ResultType.VALIDATION_FAILURE


def test_presentation() -> None:
    assert presentation(TlsaRecord(3, 1, 1, b"\xab\x01")) == "3 1 1 ab01"


@given(st.lists(st.binary(max_size=64), max_size=4), st.binary(max_size=64))
def test_any_octets_end_well(chain: list[bytes], key: bytes) -> None:
    records = [TlsaRecord(2, 0, 0, key), TlsaRecord(2, 1, 0, key), record(2, 1, 1, ROOT)]
    fails(chain, *records)
    fails([LEAF.der, *chain], *records)
