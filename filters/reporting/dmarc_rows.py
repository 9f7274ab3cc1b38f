"""DMARC evaluations as rows of aggregate reports (RFC 9990 §3.1.1), and back again as records.

A head is the policy with its destinations, a detail what happened to a message; both are JSON texts
in which equal things look equal.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import orjson

from filters.authentication.dmarc_evaluation import Aligned, Evaluation
from filters.authentication.results import DkimResult, DmarcResult, Identity, Outcome, SpfResult
from filters.context import Context
from filters.reporting.collector import Collector
from message.dmarc_record import ReportUri, parse_uris
from message.dmarc_report import Published, Record, SignatureResult, SpfDomain
from storage.report_values import Kind

MAX_SIGNATURES = 10
_HALF = re.compile(r"\\ud[89a-f][0-9a-f]{2}")


class DmarcRecorder:
    """What the filter `dmarc` tells of every evaluation that found a record."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def __call__(self, context: Context, found: Evaluation, result: DmarcResult) -> None:
        """Counts the message where its domain's owner asks for reports by mail."""
        applied = found.applied
        if applied is None or not any(uri.address for uri in applied.found.record.rua):
            return
        self._collector.count(
            Kind.DMARC, applied.found.domain, head_of(found), detail_of(context, found, result)
        )


def head_of(found: Evaluation) -> str:
    """The policy as published, with what absent tags mean."""
    assert found.applied is not None
    record = found.applied.found.record
    below = record.sp or record.p
    head = {
        "p": record.p.value,
        "sp": below.value,
        "np": (record.np or below).value,
        "adkim": record.adkim.value,
        "aspf": record.aspf.value,
        "fo": ":".join(sorted(record.fo)),
        "testing": "y" if record.testing else "n",
        "rua": [_uri(one) for one in record.rua if one.address],
    }
    return _json(head)


def detail_of(context: Context, found: Evaluation, result: DmarcResult) -> str:
    """What happened to one message."""
    spf = [one for one in context.results if isinstance(one, SpfResult)]
    dkim = [one for one in context.results if isinstance(one, DkimResult) and one.domain]
    dkim.sort(key=lambda one: (one.outcome is not Outcome.PASS, one.domain != found.domain))
    detail = {
        "source": context.peer.address.partition("%")[0],
        "disposition": _disposition(result),
        "dkim": _aligned(found.dkim),
        "spf": _aligned(found.spf),
        "reasons": _reasons(found, result),
        "from": found.domain,
        "envelope": context.sender.rpartition("@")[2].lower(),
        "signatures": [
            [one.domain, one.selector, one.outcome.value] for one in dkim[:MAX_SIGNATURES]
        ],
        "checked": [[one.domain, one.outcome.value] for one in _mail_from(spf) if one.domain],
    }
    return _json(detail)


def published_of(domain: str, head: str) -> tuple[Published, tuple[ReportUri, ...]]:
    """The policy of a head, and who wants to hear of it."""
    found: dict[str, Any] = orjson.loads(head)
    names = ("p", "sp", "np", "adkim", "aspf", "fo", "testing")
    return Published(domain, *(found[name] for name in names)), parse_uris(",".join(found["rua"]))


def record_of(detail: str, count: int) -> Record:
    """The record of a detail that was counted so often."""
    found: dict[str, Any] = orjson.loads(detail)
    return Record(
        source=found["source"],
        count=count,
        disposition=found["disposition"],
        dkim=found["dkim"],
        spf=found["spf"],
        header_from=found["from"],
        envelope_from=found["envelope"],
        reasons=tuple((kind, comment) for kind, comment in found["reasons"]),
        signatures=tuple(SignatureResult(*one) for one in found["signatures"]),
        spf_domains=tuple(SpfDomain(*one) for one in found["checked"]),
    )


def _disposition(result: DmarcResult) -> str:
    """`pass` says that a policy would have been enforced."""
    if result.outcome is Outcome.PASS and result.policy != "none":
        return "pass"
    return result.disposition


def _aligned(said: Aligned) -> str:
    return "pass" if said is Aligned.PASS else "fail"


def _reasons(found: Evaluation, result: DmarcResult) -> list[list[str]]:
    """Why less was done than the policy asks."""
    assert found.applied is not None
    reasons = []
    if result.outcome is Outcome.FAIL and found.applied.asked is not found.applied.policy:
        reasons.append(["policy_test_mode", ""])
    if result.outcome is Outcome.FAIL and result.disposition != result.policy:
        kind = "trusted_forwarder" if result.reason.startswith("arc:") else "local_policy"
        reasons.append([kind, result.reason])
    if result.outcome is Outcome.TEMPERROR:
        reasons.append(["other", "temporary error"])
    return reasons


def _mail_from(spf: Sequence[SpfResult]) -> Sequence[SpfResult]:
    """The result that counts: the sender's, that of HELO for the null sender."""
    return [one for one in spf if one.identity is Identity.MAIL_FROM][:1] or spf[:1]


def _uri(uri: ReportUri) -> str:
    return f"{uri.uri}!{uri.limit}" if uri.limit else uri.uri


def _json(value: dict[str, Any]) -> str:
    """Half characters, which JSON can't hold, become question marks."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return _HALF.sub("?", json.dumps(value, sort_keys=True))
