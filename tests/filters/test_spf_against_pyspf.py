"""Our SPF results against pyspf's on random zones: equal, or different for a reason named here.

pyspf blocks; it is given a function that reads the zone in memory, while we ask a DNS server.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from filters.authentication.spf_check import Finding, check_host
from filters.authentication.spf_names import Client, plain_address
from net.dns import Resolver
from net.lookups import Lookups
from tests.support.dns_server import DnsServer, dns_server
from tests.support.spf_zones import FAILING, SpfZone, random_zone

with warnings.catch_warnings():
    # its source has escapes that Python warns of
    warnings.simplefilter("ignore")
    import spf

RECEIVER = "mx.example.test"
CHUNKS, CASES = 10, 200


@dataclass(frozen=True)
class Theirs:
    """What pyspf says; `explanation` is "" where it has only its own words."""

    result: str
    text: str

    @property
    def explanation(self) -> str:
        return "" if self.text.startswith("SPF fail") else self.text


def ask_pyspf(zone: SpfZone, patch: pytest.MonkeyPatch, *, void: int = 2) -> Theirs:
    def look_up(name: str, kind: str, *_: object) -> Iterator[tuple[tuple[str, str], object]]:
        if name.lower() == FAILING:
            raise spf.TempError("no answer")
        for text in zone.records.get(name.lower(), {}).get(kind, []):
            yield (name, kind), _value(kind, text)

    patch.setattr(spf, "DNSLookup", look_up)
    patch.setattr(spf, "MAX_VOID_LOOKUPS", void)
    sender = f"{zone.local}@{zone.domain}"
    result, _, text = spf.query(i=zone.address, s=sender, h=zone.helo, receiver=RECEIVER).check()
    return Theirs(result, text)


def _value(kind: str, text: str) -> object:
    if kind == "TXT":
        return [text.encode()]
    if kind == "MX":
        preference, host = text.split()
        return int(preference), host
    return ip_address(text).packed if kind == "AAAA" else text


async def ask_us(zone: SpfZone, server: DnsServer) -> Finding:
    server.records.clear()
    for name, kinds in zone.records.items():
        for kind, texts in kinds.items():
            server.set(name, kind, *(_record(kind, text) for text in texts))
    client = Client(plain_address(zone.address), zone.helo, RECEIVER, 0.0)
    lookups = Lookups(Resolver([server.endpoint]))
    return await check_host(lookups, client, zone.local, zone.domain)


def _record(kind: str, text: str) -> str:
    if kind == "TXT":
        quoted = (text[at : at + 200].replace("\\", r"\\") for at in range(0, len(text), 200))
        return " ".join('"' + piece.replace('"', r"\"") + '"' for piece in quoted)
    return f"{text}." if kind in ("MX", "PTR") else text


def same(ours: Finding, theirs: Theirs) -> bool:
    explained = theirs.result != "fail" or ours.explanation == theirs.explanation
    return ours.outcome.value == theirs.result and explained


def explanation_of(zone: SpfZone, ours: Finding, theirs: Theirs) -> str:
    """Why a difference is right; "" when it isn't."""
    text = zone.text()
    if "has trivial recursion" in theirs.text:
        return "pyspf refuses an include of the own domain unevaluated; RFC 7208 has only the limit"
    repeated = re.search(r"Error: (\S+)= MUST appear at most once", theirs.text)
    if repeated and repeated[1].lower() not in ("redirect", "exp"):
        return "only redirect and exp may not be repeated (RFC 7208 §6)"
    if "%%" in text and ("invalid-macro" in theirs.text or ours.explanation.endswith("%")):
        return "pyspf takes %% at the end of a text for a broken macro"
    if re.search(r"%\{[a-zA-Z]\d*r?[^}.+,/_=-]", text) and "is not a macro" in ours.reason:
        return "pyspf takes any characters behind a macro's transformers"
    if "%{p" in text.lower() and len(zone.records.get(zone.reverse, {}).get("PTR", [])) > 1:
        return "of several names of the client any may be taken (RFC 7208 §7.3)"
    return ""


@pytest.mark.parametrize("chunk", range(CHUNKS))
async def test_same_results_as_pyspf(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}
    async with dns_server() as server:
        server.failing.add(FAILING)
        for seed in range(chunk * CASES, (chunk + 1) * CASES):
            zone = random_zone(seed)
            ours, theirs = await ask_us(zone, server), ask_pyspf(zone, monkeypatch)
            if not same(ours, theirs) and "found nothing" not in ours.reason:
                # It counts every empty answer, we count terms (RFC 7208 §4.6.4): so without that.
                theirs = ask_pyspf(zone, monkeypatch, void=1000)
            why = "the same" if same(ours, theirs) else explanation_of(zone, ours, theirs)
            assert why, f"seed {seed}\nours {ours}\ntheirs {theirs}\n{zone}"
            seen[ours.outcome.value] = seen.get(ours.outcome.value, 0) + 1
            seen[why] = seen.get(why, 0) + 1
    # the cases are no trivial ones, and explanations are the exception
    assert len([name for name in seen if " " not in name]) == 7, seen
    assert seen["the same"] > CASES * 0.85, seen
