"""The SMTP grammar: round trips, the forms that clients send, and nothing that crashes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.xtext import decode_utf8_address, decode_xtext, encode_xtext, readable_orcpt
from smtp.grammar import replies
from smtp.grammar.bdat import Bdat, encode_bdat, parse_bdat
from smtp.grammar.command import Command, LineError, encode_command, parse_command
from smtp.grammar.ehlo import Offer, ehlo_reply, refusal_of
from smtp.grammar.mail import Body, Mail, encode_mail, parse_mail
from smtp.grammar.path import NULL, POSTMASTER, parse_path
from smtp.grammar.rcpt import Rcpt, encode_rcpt, parse_rcpt
from smtp.grammar.reply import Reply, parse_reply, reply
from smtp.grammar.stuffing import cut_of, fault_of, find_end, unstuff
from smtp.grammar.wishes import By

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
addresses = st.builds(
    "{}@{}.test".format,
    st.from_regex(r"[a-z0-9!#$%&*+/=?^_`{|}~-]{1,20}(\.[a-z]{1,9}){0,2}", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
)


def sender(text: str) -> Mail:
    found = parse_mail(text)
    assert isinstance(found, Mail), found
    return found


def refusal(found: Mail | Rcpt | Reply) -> tuple[int, str]:
    assert isinstance(found, Reply)
    return found.code, found.status


@given(
    st.integers(200, 599),
    st.sampled_from(["", "2.0.0", "4.7.1", "5.1.10"]),
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80), min_size=1),
)
def test_reply_round_trip(code: int, status: str, lines: list[str]) -> None:
    lines = [f"x{line}" for line in lines]  # a text that begins like a status would be one
    made = reply(code, status, *lines)
    assert parse_reply(made.wire) == made


@given(st.text(), st.integers(200, 599))
def test_reply_is_one_line_whatever_the_text(text: str, code: int) -> None:
    wire = reply(code, "5.0.0", text).wire
    assert wire.endswith(b"\r\n") and len(wire) <= 512
    assert wire.count(b"\n") == wire.count(b"\r") == 1 and b"\0" not in wire


@given(st.from_regex(r"[A-Z]{1,9}", fullmatch=True), st.text().map(lambda text: text.strip(" \t")))
def test_command_round_trip(verb: str, argument: str) -> None:
    if set(argument) & set("\r\n\0"):
        argument = ""
    command = Command(verb, argument)
    assert parse_command(encode_command(command)) == command


@given(st.binary(max_size=200))
def test_any_line_parses_or_is_refused(line: bytes) -> None:
    try:
        command = parse_command(line)
    except LineError:
        assert not line.endswith(b"\r\n") or set(line[:-2]) & set(b"\r\n\0")
    else:
        parse_mail(command.argument)
        parse_rcpt(command.argument)
        parse_bdat(command.argument)


@pytest.mark.parametrize(
    "line", [b"NOOP\n", b"NOOP\r", b"NO\rOP\r\n", b"NO\nOP\r\n", b"NO\0OP\r\n"]
)
def test_only_crlf_ends_a_line(line: bytes) -> None:
    with pytest.raises(LineError):
        parse_command(line)


@given(
    st.one_of(st.just(""), addresses),
    st.integers(0, 10**19),
    st.sampled_from(Body),
    st.booleans(),
    st.sampled_from(["", "FULL", "HDRS"]),
    st.one_of(st.just(""), printable.filter(lambda text: len(encode_xtext(text)) <= 100)),
)
def test_mail_round_trip(
    address: str, size: int, body: Body, smtputf8: bool, ret: str, envid: str
) -> None:
    mail = Mail(parse_path(address), size, body, smtputf8, ret, envid)
    assert parse_mail(encode_mail(mail)) == mail


@given(
    st.booleans(),
    st.one_of(
        st.just((None, None)),
        st.tuples(st.integers(1, 999_999_999), st.none()),
        st.tuples(st.none(), st.integers(0, 4_000_000_000)),
    ),
    st.one_of(
        st.none(),
        st.builds(By, st.integers(-(10**9) + 1, 10**9 - 1), st.just("N"), st.booleans()),
        st.builds(By, st.integers(1, 10**9 - 1), st.just("R"), st.booleans()),
    ),
    st.one_of(st.none(), st.integers(-9, 9)),
)
def test_wishes_round_trip(
    tls: bool, held: tuple[int | None, int | None], by: By | None, priority: int | None
) -> None:
    mail = Mail(
        parse_path("a@b.test"),
        require_tls=tls,
        hold_for=held[0],
        hold_until=held[1],
        by=by,
        priority=priority,
    )
    assert parse_mail(encode_mail(mail)) == mail


def test_times_of_all_zones() -> None:
    at = sender("FROM:<> HOLDUNTIL=2030-01-31T08:00:00Z").hold_until
    assert at == 1896076800
    assert sender("FROM:<> HOLDUNTIL=2030-01-31t09:30:00.25+01:30").hold_until == at


def test_nothing_is_taken_that_is_not_announced() -> None:
    """Each wish is refused by an offer without it and taken with it."""
    bare = Offer("mx.test", 1)
    full = Offer(
        "mx.test", 1, require_tls=True, binary=True, submission=True, hold_for=60, hold_until="x"
    )
    words = " ".join(ehlo_reply(full).lines[len(ehlo_reply(bare).lines) :])
    assert words == "BINARYMIME REQUIRETLS DELIVERBY MT-PRIORITY FUTURERELEASE 60 x"
    for wish in (
        *("REQUIRETLS", "BODY=BINARYMIME", "BY=1;R", "MT-PRIORITY=0"),
        *("HOLDFOR=1", "HOLDUNTIL=2030-01-31T08:00:00Z"),
    ):
        mail = sender(f"FROM:<> {wish}")
        assert mail.is_special and refusal_of(mail, full) is None
        assert refusal_of(mail, bare) is not None, wish
    assert not sender("FROM:<> BODY=8BITMIME SIZE=1 SMTPUTF8 RET=FULL ENVID=x").is_special


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("jörg@b.test", "jörg@b.test"),
        (r"j\x{F6}rg@b.test", "jörg@b.test"),
        ("a@b.test", "a@b.test"),
    ],
)
def test_forms_of_addresses_in_utf8(text: str, address: str) -> None:
    assert decode_utf8_address(text) == address
    assert readable_orcpt(f"utf-8;{text}") == f"utf-8;{address}"


@pytest.mark.parametrize(
    "text", ["", "a b", "a=b", "a+b", r"\x{D800}", r"\x{110000}", r"\x{A}", "\\"]
)
def test_no_addresses_in_utf8(text: str) -> None:
    with pytest.raises(ValueError):
        decode_utf8_address(text)


@given(
    addresses,
    st.sampled_from(["", "NEVER", "SUCCESS", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"]),
    st.one_of(st.just(""), addresses.map(lambda text: f"rfc822;{encode_xtext(text)}")),
)
def test_rcpt_round_trip(address: str, notify: str, orcpt: str) -> None:
    rcpt = Rcpt(parse_path(address), notify, orcpt)
    assert parse_rcpt(encode_rcpt(rcpt)) == rcpt


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_xtext_round_trip(text: str) -> None:
    assert decode_xtext(encode_xtext(text)) == text


@given(st.integers(0, 10**18), st.booleans())
def test_bdat_round_trip(size: int, last: bool) -> None:
    assert parse_bdat(encode_bdat(Bdat(size, last))) == Bdat(size, last)


@pytest.mark.parametrize("argument", ["", "x", "-1", "1 FIRST", "1.5", "LAST", "1 LAST x"])
def test_bdat_refused(argument: str) -> None:
    assert parse_bdat(argument) is None


def test_outlook_sends_a_space_after_the_colon() -> None:
    assert sender("FROM: <a@b.test>").sender.text == "a@b.test"
    assert isinstance(parse_rcpt("TO:  <a@b.test> NOTIFY=NEVER"), Rcpt)


def test_forms_of_paths() -> None:
    assert sender("FROM:<>").sender is NULL
    assert sender("from:<a@B.TEST>").sender.text == "a@b.test"
    assert sender("FROM:<@relay.test,@other.test:a@b.test>").sender.text == "a@b.test"
    assert sender("FROM:a@b.test").sender.text == "a@b.test"
    assert sender('FROM:<"a b"@b.test>').sender.text == '"a b"@b.test'
    assert sender("FROM:<a@[192.0.2.1]>").sender.text == "a@[192.0.2.1]"
    assert parse_path("PostMaster") is POSTMASTER


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "FROM:", "FROM:<a b@c.test>", "FROM:<a@b.test", "TO:<a@b.test>", "FROM:<a>",
     "FROM:<a@b.test>X=1", "FROM:<@b.test>", "FROM:<a@>", "FROM:<<a@b.test>>", "FROM:<postmaster>"],
)  # fmt: skip
def test_bad_senders(argument: str) -> None:
    code, status = refusal(parse_mail(argument))
    assert code == 501 and status in ("5.5.4", "5.1.7")


@pytest.mark.parametrize(
    "argument", ["TO:<>", "TO:<a>", "TO:", "FROM:<a@b.test>", "TO:<a@b..test>"]
)
def test_bad_recipients(argument: str) -> None:
    code, status = refusal(parse_rcpt(argument))
    assert code == 501 and status in ("5.5.4", "5.1.3")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("SIZE=x", 501),
        ("SIZE", 501),
        ("SIZE=1 SIZE=2", 501),
        ("BODY=9BIT", 501),
        ("SMTPUTF8=1", 501),
        ("RET=ALL", 501),
        ("ENVID=a+zz", 501),
        ("X-FOO=1", 555),
        ("REQUIRETLS=1", 501),
        ("HOLDFOR=0", 501),
        ("HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", 501),
        ("HOLDUNTIL=2030-13-01T00:00:00Z", 501),
        ("BY=0;R", 501),
        ("MT-PRIORITY=+1", 501),
    ],
)
def test_refused_parameters(parameters: str, code: int) -> None:
    assert refusal(parse_mail(f"FROM:<a@b.test> {parameters}")) == (code, "5.5.4")


@pytest.mark.parametrize(
    "parameters", ["NOTIFY=NEVER,DELAY", "NOTIFY=", "NOTIFY=SUCCESS,SUCCESS", "ORCPT=a@b.test"]
)
def test_refused_recipient_parameters(parameters: str) -> None:
    assert refusal(parse_rcpt(f"TO:<a@b.test> {parameters}"))[0] == 501


def test_parameters_need_ehlo() -> None:
    assert refusal(parse_mail("FROM:<a@b.test> SIZE=1", False))[0] == 501


def test_non_ascii_needs_smtputf8() -> None:
    assert refusal(parse_mail("FROM:<zoë@b.test>")) == (553, "5.6.7")
    assert sender("FROM:<zoë@b.test> SMTPUTF8").sender.text == "zoë@b.test"
    latin = b"FROM:<zo\xeb@b.test>".decode("utf-8", "surrogateescape")
    assert refusal(parse_mail(latin)) == (501, "5.1.7")


def test_ehlo_offers_what_is_true() -> None:
    made = ehlo_reply(Offer("mx.test", 1000, starttls=True, mechanisms=("PLAIN", "LOGIN")))
    assert made.lines[0] == "mx.test" and "SIZE 1000" in made.lines
    assert made.lines[-2:] == ("STARTTLS", "AUTH PLAIN LOGIN")
    assert not any("AUTH" in line for line in ehlo_reply(Offer("mx.test", 1)).lines)


def test_every_fixed_reply_has_a_status_of_its_class() -> None:
    fixed = [one for one in vars(replies).values() if isinstance(one, Reply)]
    assert len(fixed) > 30
    for one in fixed:
        assert one.code == 354 or one.status[0] == str(one.code)[0], one


message_lines = st.lists(st.binary(max_size=30).map(lambda line: line.translate(None, b"\r\n\0")))


@given(message_lines, st.data())
def test_any_split_of_stuffed_data_gives_the_message(
    lines: list[bytes], data: st.DataObject
) -> None:
    """What DATA's reader does, with pieces of any size instead of large ones."""
    message = b"".join(line + b"\r\n" for line in lines)
    wire = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\nQUIT\r\n"
    buffer, at, out, line_start = bytearray(), 0, b"", True
    while True:
        end = find_end(buffer, 0, line_start)
        if end >= 0:
            out += unstuff(bytes(buffer[:end]), line_start)
            del buffer[: end + 3]
            break
        if data.draw(st.booleans()):
            cut, following = cut_of(buffer)
            # as in the reader: a cut is made in a buffer that is large, never in an empty one
            if cut:
                assert fault_of(bytes(buffer[:cut])) is None
                out += unstuff(bytes(buffer[:cut]), line_start)
                del buffer[:cut]
                line_start = following
        step = data.draw(st.integers(1, 40))
        buffer += wire[at : at + step]
        at += step
    assert out == message
    assert b"QUIT\r\n".startswith(bytes(buffer))


@pytest.mark.parametrize(
    "bad", [b"a\nb\r\n", b"a\rb\r\n", b"\n.\r\n", b"a\r\r\n", b"a\n\r\n", b"\n"]
)
def test_bare_line_ends_are_found(bad: bytes) -> None:
    assert fault_of(bad) is replies.BARE_LINE_END
    assert fault_of(b"fine\r\n" + bad) is replies.BARE_LINE_END


def test_nul_is_found() -> None:
    assert fault_of(b"a\0b\r\n") is replies.NUL_IN_MESSAGE


def test_a_dot_within_a_line_is_kept() -> None:
    assert unstuff(b".a\r\n..b", False) == b".a\r\n.b"
    assert unstuff(b".a\r\n..b", True) == b"a\r\n.b"
