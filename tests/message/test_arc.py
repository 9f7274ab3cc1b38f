"""The ARC test suite of $MAILSERVER_TEST_DATA, our own chains, and hostile ones."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from message.arc import MAX_INSTANCES, highest_instance, parse_seal, read_sets
from message.arc_seal import own_results, seal
from message.dkim_header import Header
from message.dkim_key import parse_key
from message.dkim_signing_key import Algorithm, load_signing_key
from message.dkim_tags import Status, parse_tags
from tests.support.dkim_messages import BODY, HEADER, chain, key, records
from tests.support.programs import unavailable

# Expected to have no result: their chain says itself that it ended. RFC 8617 §5.2 (step 2): fail.
ENDED = {"cv_fail_i1_as_cv_fail", "cv_fail_i2_as2_fail", "cv_fail_i2_as1_fail"}
RESULTS = (
    b"lists.example.org; spf=pass smtp.mfrom=a@example.org;\r\n dkim=pass header.d=example.org"
)


def suite(name: str) -> list[Any]:
    folder = os.environ.get("MAILSERVER_TEST_DATA")
    if not folder:
        return []
    documents = yaml.safe_load_all(Path(folder, "arc", name).read_text("utf-8"))
    return [
        pytest.param(document, test, id=case)
        for document in documents
        for case, test in document["tests"].items()
    ]


VALIDATION = suite("arc-draft-validation-tests.yml")
SIGNING = suite("arc-draft-sign-tests.yml")


def test_the_suite_is_whole() -> None:
    if not VALIDATION:
        unavailable("MAILSERVER_TEST_DATA is not set: the ARC suite is not there")
    assert (len(VALIDATION), len(SIGNING)) == (171, 17)


def zone(document: Any) -> dict[str, list[bytes]]:
    return {
        name: [text.replace("\n", " ").encode()] for name, text in document["txt-records"].items()
    }


def crlf(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


@pytest.mark.parametrize(("document", "case"), VALIDATION)
def test_validation_suite(document: Any, case: Any, request: pytest.FixtureRequest) -> None:
    wanted = case["cv"].lower()
    if not wanted:
        assert request.node.callspec.id in ENDED
        wanted = "fail"
    assert chain(crlf(case["message"]), zone(document))[0].value == wanted


def words(value: bytes | str) -> str:
    return re.sub(r"\s", "", value.decode() if isinstance(value, bytes) else value)


def value_of(field: bytes) -> bytes:
    return field.partition(b":")[2]


@pytest.mark.parametrize(("document", "case"), SIGNING)
def test_signing_suite(document: Any, case: Any) -> None:
    """ARC-Authentication-Results and ARC-Message-Signature come out letter by letter.

    The seal covers the white space inside the message signature's b=, and the suite's has none
    there, which no line limit allows: of the seal everything else is compared, ours must hold, and
    so must the suite's over its own unfolded signature.
    """
    message = crlf(case["message"])
    block, _, body = message.partition(b"\r\n\r\n")
    header = Header(block)
    results = own_results(header, case["srv-id"])
    told = re.search(rb"arc=(\w+)", results)
    status = Status(told[1].decode()) if told else Status.NONE
    signer = load_signing_key(document["privatekey"].encode(), document["domain"], document["sel"])
    names = case["sig-headers"].encode().split(b":")
    made = seal(block, [body], results, status, signer, int(case["t"]), names=names)
    if not case["AS"]:
        assert made == ()
        return
    sealing, signature, claims = made
    assert words(value_of(claims)) == words(case["AAR"])
    assert words(value_of(signature)) == words(case["AMS"])
    ours, wanted = parse_tags(value_of(sealing)), parse_tags(case["AS"].encode())
    assert ours | {b"b": b""} == wanted | {b"b": b""}
    if status is not Status.FAIL:
        assert chain(b"".join(made) + message, zone(document)) == (Status.PASS, "")
        theirs = b"ARC-Seal: %b\r\nARC-Message-Signature: %b\r\nARC-Authentication-Results: %b\r\n"
        lines = [" ".join(case[tag].split()).encode() for tag in ("AS", "AMS", "AAR")]
        lines[1] = re.sub(rb"b=[^;]*", lambda b: b[0].replace(b" ", b""), lines[1], count=1)
        assert chain(theirs % (*lines,) + message, zone(document)) == (Status.PASS, "")


def sealed(times: int, status: Status = Status.NONE, message: bytes = b"") -> bytes:
    """A message that went through `times` hops, each with a domain of its own."""
    message = message or HEADER + b"\r\n" + BODY
    for hop in range(times):
        block, _, body = message.partition(b"\r\n\r\n")
        fields = seal(block + b"\r\n", [body], RESULTS, status, hop_key(hop), 1)
        message = b"".join(fields) + b"Received: from hop %d\r\n" % hop + message
        status = chain(message, hop_records())[0]
    return message


def hop_key(hop: int) -> Any:
    algorithm = Algorithm.ED25519 if hop % 2 else Algorithm.RSA
    return key(algorithm, f"hop{hop % 4}", f"hop{hop % 4}.test")


def hop_records() -> dict[str, list[bytes]]:
    return records(*(hop_key(hop) for hop in range(4)))


def seals_alone(fields: tuple[bytes, ...]) -> bool:
    """Whether a seal covers its own set and nothing else (RFC 8617 §5.1.2)."""
    alone = Header(b"".join(fields))
    data = alone.forms((2, 1), relaxed=True) + alone.own_form(0, relaxed=True)
    found = parse_seal(alone.value(0))
    return parse_key(hop_records()[found.key_name][0]).verifies(found.algorithm, found.value, data)


@pytest.mark.parametrize("hops", [1, 2, 3, 7])
def test_own_chains_hold(hops: int) -> None:
    message = sealed(hops)
    assert chain(message, hop_records()) == (Status.PASS, "")
    sets = read_sets(Header(message.partition(b"\r\n\r\n")[0]))
    assert [one.instance for one in sets] == list(range(1, hops + 1))


def test_a_changed_message_breaks_the_chain_and_the_next_seal_says_so() -> None:
    broken = sealed(2).replace(b"Second line", b"Another line")
    assert chain(broken, hop_records()) == (
        Status.FAIL,
        "ARC-Message-Signature 2: the body was changed",
    )
    block, _, body = broken.partition(b"\r\n\r\n")
    fields = seal(block, [body], RESULTS, Status.FAIL, hop_key(2), 1)
    assert parse_tags(value_of(fields[0]))[b"cv"] == b"fail"
    assert seals_alone(fields)
    ended = b"".join(fields) + broken
    assert chain(ended, hop_records())[0] is Status.FAIL
    block, _, body = ended.partition(b"\r\n\r\n")
    assert seal(block, [body], RESULTS, Status.FAIL, hop_key(3), 1) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"spf=pass", b"spf=none"),
        (b"cv=pass", b"cv=none"),
        (b"i=2; s=hop1; t=1\r\n", b"i=2; s=hop1; t=2\r\n"),
        (b"d=hop0.test", b"d=hop1.test"),
        (b"i=2", b"i=3"),
        (b"i=1", b"i=2"),
        (b"From:  Someone", b"From:  Anyone"),
    ],
)
def test_changed_sets_break_the_chain(before: bytes, after: bytes) -> None:
    message = sealed(2)
    assert before in message
    assert chain(message.replace(before, after, 1), hop_records())[0] is Status.FAIL


def test_an_older_message_signature_need_not_hold() -> None:
    """A list changes the subject, and seals: only the latest signature covers what it sent."""
    changed = sealed(1).replace(b"Subject: ", b"Subject: [list] ")
    assert chain(changed, hop_records())[0] is Status.FAIL
    block, _, body = changed.partition(b"\r\n\r\n")
    again = b"".join(seal(block, [body], RESULTS, Status.PASS, hop_key(1), 1)) + changed
    assert chain(again, hop_records()) == (Status.PASS, "")


def test_nothing_is_sealed_that_was_not_validated() -> None:
    block, _, body = sealed(1).partition(b"\r\n\r\n")
    assert seal(block, [body], RESULTS, Status.NONE, hop_key(1), 1) == ()


def test_fifty_instances_and_no_more() -> None:
    claims = b"".join(
        b"ARC-Authentication-Results: i=%d; a; none\r\n" % n for n in range(1, MAX_INSTANCES + 1)
    )
    assert highest_instance(Header(claims)) == MAX_INSTANCES
    assert seal(claims, [b""], RESULTS, Status.FAIL, hop_key(1), 1) == ()
    assert chain(claims + claims + b"\r\n", {})[0] is Status.FAIL
    many = b"".join(b"ARC-Seal: i=%d; cv=none\r\n" % n for n in range(10_000))
    assert chain(many + b"\r\n", {}) == (Status.FAIL, "more than 50 instances")


def test_a_broken_chain_gets_an_instance_above_all_others() -> None:
    block = b"ARC-Seal: i=7; a=x\r\nARC-Seal: nothing\r\nFrom: a@b.test\r\n"
    fields = seal(block, [b""], RESULTS, Status.FAIL, hop_key(1), 1)
    assert all(b"i=8;" in field for field in fields)
    assert seal(block, [b""], RESULTS, Status.PASS, hop_key(1), 1) == ()


def test_own_results_are_merged_and_foreign_ones_left() -> None:
    header = Header(
        b"Authentication-Results: a.test 1; spf=pass\r\nAuthentication-Results: b.test; x=y\r\n"
        b"authentication-results: A.TEST;\r\n\tdkim=fail;\r\n"
    )
    assert own_results(header, "a.test") == b"a.test; spf=pass;\r\n dkim=fail".replace(
        b"a.test; ", b"a.test;\r\n "
    )
    assert own_results(header, "c.test") == b""
