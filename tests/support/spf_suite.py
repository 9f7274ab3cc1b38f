"""The RFC 7208 suite of the SPF community: its scenarios, and their zones in the tests' DNS server.

The suite's SPF entries stand for TXT records where a name has no TXT entry; TIMEOUT is silence to
the questions that a name has no records for.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.dns_server import DnsServer

SUITE = "spf/rfc7208-tests.yml"


@dataclass(frozen=True)
class SpfCase:
    """One case. `results` are those allowed, the preferred one first; `explanation` None: any."""

    name: str
    helo: str
    host: str
    sender: str
    results: tuple[str, ...]
    explanation: str | None
    zone: Mapping[str, list[Any]]


@cache
def spf_cases() -> tuple[SpfCase, ...]:
    """All cases; none when $MAILSERVER_TEST_DATA isn't there."""
    folder = os.environ.get("MAILSERVER_TEST_DATA")
    path = Path(folder, SUITE) if folder else None
    if path is None or not path.is_file():
        return ()
    scenarios = yaml.safe_load_all(path.read_text("utf-8"))
    return tuple(
        _case(name, case, scenario["zonedata"])
        for scenario in scenarios
        for name, case in scenario["tests"].items()
    )


def _case(name: str, case: Mapping[str, Any], zone: Mapping[str, list[Any]]) -> SpfCase:
    results = case["result"]
    return SpfCase(
        name=name,
        helo=case["helo"],
        host=case["host"],
        sender=case["mailfrom"],
        results=(results,) if isinstance(results, str) else tuple(results),
        explanation=case.get("explanation"),
        zone=zone,
    )


def serve_zone(server: DnsServer, zone: Mapping[str, list[Any]]) -> None:
    """Puts a zone into the server in place of what it had."""
    server.records.clear()
    server.silent.clear()
    for name, entries in zone.items():
        _serve_name(server, name, entries)


def _serve_name(server: DnsServer, name: str, entries: list[Any]) -> None:
    records: dict[str, list[str]] = {}
    for entry in entries:
        if entry != "TIMEOUT":
            ((kind, value),) = entry.items()
            records.setdefault(kind, []).append(_record(kind, value))
    records.setdefault("TXT", records.get("SPF", []))
    for kind, texts in records.items():
        if texts and texts != ["NONE"]:
            server.set(name, kind, *texts)
    if "TIMEOUT" in entries and records["TXT"] in ([], ["NONE"]):
        server.silent.add(name.lower())


def _record(kind: str, value: Any) -> str:
    if value == "NONE":
        return "NONE"
    if kind in ("SPF", "TXT"):
        strings = [value] if isinstance(value, str) else value or [""]
        return " ".join(_quoted(string) for string in strings)
    if kind == "MX":
        return f"{value[0]} {value[1].removesuffix('.')}."
    if kind in ("PTR", "CNAME"):
        return f"{value.removesuffix('.')}."
    return str(value)


def _quoted(string: str) -> str:
    octets = string.encode("latin-1")
    return '"' + "".join(f"\\{octet:03d}" for octet in octets) + '"'
