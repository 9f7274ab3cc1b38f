"""SMTP TLS reports as JSON: built for others, read from others (RFC 8460 §4.4). Pure.

What others send is bounded before it is parsed and believed; what it lacks stays empty.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_JSON = 16 * 1024 * 1024
MAX_POLICIES = 100
MAX_FAILURES = 10_000
MAX_TEXT = 300
_MOST = 2**53


class TlsReportInvalid(Exception):
    """The text is no report; the message says why."""


@dataclass(frozen=True, slots=True)
class FailureDetail:
    """`sessions` failed in the same way; all texts as they came, at most MAX_TEXT long."""

    result: str
    sessions: int
    sending_ip: str = ""
    receiving_host: str = ""
    receiving_ip: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """`policy` is the object of the report, with `policy-type` and `policy-domain`."""

    policy: Mapping[str, Any]
    successful: int
    failed: int
    failures: Sequence[FailureDetail] = field(default_factory=tuple)

    @property
    def domain(self) -> str:
        return str(self.policy.get("policy-domain", ""))


@dataclass(frozen=True, slots=True)
class TlsReport:
    """Times in Unix seconds; `end` is the last second of the range."""

    organisation: str
    contact: str
    report_id: str
    begin: int
    end: int
    policies: Sequence[PolicyReport]


def build_json(report: TlsReport) -> bytes:
    """`parse_json` gives the same value back."""
    members = {
        "organization-name": report.organisation,
        "date-range": {
            "start-datetime": _rfc3339(report.begin),
            "end-datetime": _rfc3339(report.end),
        },
        "contact-info": report.contact,
        "report-id": report.report_id,
        "policies": [_policy_members(policy) for policy in report.policies],
    }
    return json.dumps(members, indent=1).encode()


def parse_json(data: bytes) -> TlsReport:
    """Raises TlsReportInvalid."""
    if len(data) > MAX_JSON:
        raise TlsReportInvalid(f"more than {MAX_JSON} octets")
    try:
        members = json.loads(data)
    except (ValueError, RecursionError):
        raise TlsReportInvalid("no JSON") from None
    if not isinstance(members, dict):
        raise TlsReportInvalid("no object")
    dates = _object(members, "date-range")
    policies = _list(members, "policies")
    if not policies or len(policies) > MAX_POLICIES:
        raise TlsReportInvalid("no policies, or too many")
    return TlsReport(
        _text(members, "organization-name"),
        _text(members, "contact-info"),
        _text(members, "report-id"),
        _time(dates, "start-datetime"),
        _time(dates, "end-datetime"),
        tuple(_policy(each) for each in policies),
    )


def _policy_members(policy: PolicyReport) -> dict[str, Any]:
    return {
        "policy": dict(policy.policy),
        "summary": {
            "total-successful-session-count": policy.successful,
            "total-failure-session-count": policy.failed,
        },
        **({"failure-details": _failures(policy.failures)} if policy.failures else {}),
    }


def _failures(failures: Iterable[FailureDetail]) -> list[dict[str, Any]]:
    found = []
    for each in failures:
        members: dict[str, Any] = {
            "result-type": each.result,
            "sending-mta-ip": each.sending_ip,
            "receiving-mx-hostname": each.receiving_host,
            "receiving-ip": each.receiving_ip,
            "failure-reason-code": each.reason,
        }
        kept = {key: value for key, value in members.items() if value}
        found.append({**kept, "failed-session-count": each.sessions})
    return found


def _policy(members: Any) -> PolicyReport:
    if not isinstance(members, dict):
        raise TlsReportInvalid("a policy that is no object")
    policy, summary = _object(members, "policy"), _object(members, "summary")
    failures = _list(members, "failure-details")
    if len(failures) > MAX_FAILURES:
        raise TlsReportInvalid("too many failure details")
    return PolicyReport(
        _bounded(policy),
        _count(summary, "total-successful-session-count"),
        _count(summary, "total-failure-session-count"),
        tuple(_failure(each) for each in failures if isinstance(each, dict)),
    )


def _failure(members: Mapping[str, Any]) -> FailureDetail:
    return FailureDetail(
        _text(members, "result-type"),
        _count(members, "failed-session-count"),
        _text(members, "sending-mta-ip"),
        _text(members, "receiving-mx-hostname"),
        _text(members, "receiving-ip"),
        _text(members, "failure-reason-code"),
    )


def _bounded(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Known members alone; senders write `mx-host` as a text or as a list."""
    found: dict[str, Any] = {}
    for key in ("policy-type", "policy-string", "policy-domain", "mx-host"):
        value = policy.get(key)
        if isinstance(value, str):
            found[key] = value[:MAX_TEXT]
        elif isinstance(value, list):
            found[key] = [str(each)[:MAX_TEXT] for each in value[:MAX_POLICIES]]
    if not isinstance(found.get("policy-domain"), str):
        raise TlsReportInvalid("a policy without its domain")
    return found


def _object(members: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = members.get(key)
    if not isinstance(value, dict):
        raise TlsReportInvalid(f"no {key}")
    return value


def _list(members: Mapping[str, Any], key: str) -> list[Any]:
    value = members.get(key, [])
    if not isinstance(value, list):
        raise TlsReportInvalid(f"{key} is no list")
    return value


def _text(members: Mapping[str, Any], key: str) -> str:
    value = members.get(key, "")
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _count(members: Mapping[str, Any], key: str) -> int:
    value = members.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise TlsReportInvalid(f"{key} is no count")
    return value


def _time(members: Mapping[str, Any], key: str) -> int:
    try:
        found = datetime.fromisoformat(_text(members, key))
    except ValueError:
        raise TlsReportInvalid(f"{key} is no time") from None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return int(aware.timestamp())
    except (OverflowError, ValueError):
        raise TlsReportInvalid(f"{key} is no time") from None


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
