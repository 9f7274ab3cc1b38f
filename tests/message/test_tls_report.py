"""SMTP TLS reports as JSON (RFC 8460 §4.4), our own and those of others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.tls_report import (
    MAX_JSON,
    FailureDetail,
    PolicyReport,
    TlsReport,
    TlsReportInvalid,
    build_json,
    parse_json,
)

# The example of RFC 8460, appendix B.
EXAMPLE: dict[str, Any] = {
    "organization-name": "Company-X",
    "date-range": {
        "start-datetime": "2016-04-01T00:00:00Z",
        "end-datetime": "2016-04-01T23:59:59Z",
    },
    "contact-info": "sts-reporting@company-x.example",
    "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
    "policies": [
        {
            "policy": {
                "policy-type": "sts",
                "policy-string": [
                    "version: STSv1",
                    "mode: testing",
                    "mx: *.mail.company-y.example",
                ],
                "policy-domain": "company-y.example",
                "mx-host": "*.mail.company-y.example",
            },
            "summary": {
                "total-successful-session-count": 5326,
                "total-failure-session-count": 303,
            },
            "failure-details": [
                {
                    "result-type": "certificate-expired",
                    "sending-mta-ip": "2001:db8:abcd:0012::1",
                    "receiving-mx-hostname": "mx1.mail.company-y.example",
                    "failed-session-count": 100,
                },
                {
                    "result-type": "validation-failure",
                    "sending-mta-ip": "198.51.100.62",
                    "receiving-ip": "203.0.113.58",
                    "receiving-mx-hostname": "mx-backup.mail.company-y.example",
                    "failed-session-count": 3,
                    "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
                },
            ],
        }
    ],
}


def test_the_example_of_the_standard() -> None:
    report = parse_json(json.dumps(EXAMPLE).encode())
    assert (report.organisation, report.begin) == ("Company-X", 1459468800)
    (policy,) = report.policies
    assert (policy.domain, policy.successful, policy.failed) == ("company-y.example", 5326, 303)
    assert policy.policy["mx-host"] == "*.mail.company-y.example"
    assert [each.sessions for each in policy.failures] == [100, 3]
    assert policy.failures[1].reason == "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"


TEXT = st.text(max_size=30)
COUNT = st.integers(0, 10**9)
DETAIL = st.builds(FailureDetail, TEXT, COUNT, TEXT, TEXT, TEXT, TEXT)
POLICY = st.builds(
    PolicyReport,
    st.fixed_dictionaries(
        {"policy-type": TEXT, "policy-domain": TEXT, "policy-string": st.lists(TEXT, max_size=3)}
    ),
    COUNT,
    COUNT,
    st.lists(DETAIL, max_size=3).map(tuple),
)
TIME = st.integers(0, 4 * 10**9)
POLICIES = st.lists(POLICY, min_size=1, max_size=3).map(tuple)


@given(st.builds(TlsReport, TEXT, TEXT, TEXT, TIME, TIME, POLICIES))
def test_round_trip(report: TlsReport) -> None:
    data = build_json(report)
    assert parse_json(data) == report


@given(st.binary(max_size=200))
def test_any_octets_end_well(data: bytes) -> None:
    try:
        parse_json(data)
    except TlsReportInvalid:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(EXAMPLE)), JSON)
def test_any_json_ends_well(key: str, value: object) -> None:
    for members in (value, {**EXAMPLE, key: value}):
        try:
            parse_json(json.dumps(members).encode())
        except TlsReportInvalid:
            pass


def changed(**members: object) -> bytes:
    policy = {**EXAMPLE["policies"][0], **members}
    return json.dumps({**EXAMPLE, "policies": [policy]}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"[" * 100_000,
        json.dumps({**EXAMPLE, "policies": []}).encode(),
        json.dumps({**EXAMPLE, "policies": EXAMPLE["policies"] * 101}).encode(),
        json.dumps({**EXAMPLE, "date-range": {"start-datetime": "soon"}}).encode(),
        changed(policy={"policy-type": "sts"}),
        changed(summary={"total-successful-session-count": -1}),
        changed(summary={"total-successful-session-count": True}),
        changed(summary={"total-failure-session-count": 10**30}),
        changed(**{"failure-details": {}}),
        changed(**{"failure-details": [{}] * 10_001}),
    ],
)
def test_wrong_reports(data: bytes) -> None:
    with pytest.raises(TlsReportInvalid):
        parse_json(data)


def test_too_large() -> None:
    with pytest.raises(TlsReportInvalid, match="octets"):
        parse_json(b" " * MAX_JSON + b"{}")


def test_long_texts_are_cut() -> None:
    report = parse_json(json.dumps({**EXAMPLE, "organization-name": "x" * 10_000}).encode())
    assert len(report.organisation) == 300
