"""A milter's answers as the pipeline's values. All changes of version 6 are applied; what is
to be discarded is kept in the quarantine, so that no filter loses mail.
"""

import re
from collections.abc import Sequence

from filters.message_changes import Changes
from filters.verdict import ACCEPT, Action, Scored, Verdict
from message.header_edits import Change, HeaderEdit, Insert
from net.milter import Said
from net.milter_wire import Answer, MilterSyntaxError, read_numbered, read_texts

_REPLY = re.compile(r"([45]\d\d)[ -](?:([45]\.\d{1,3}\.\d{1,3}) +)?(.*)")
_DEFAULTS = {4: "4.7.1", 5: "5.7.1"}
_TEXT = 300


def verdict_of(said: Said, symbol: str) -> Verdict:
    """What an answer that ends a step means. Raises MilterSyntaxError."""
    answer, data = said
    if answer is Answer.REJECT:
        return _refusal(symbol, 550, "5.7.1", "Refused by a message filter")
    if answer is Answer.TEMPFAIL:
        return _refusal(symbol, 451, "4.7.1", "Message filter asks to try again later")
    if answer is Answer.DISCARD:
        return quarantined(symbol, "discard")
    if answer is not Answer.REPLY_CODE:
        return ACCEPT
    (text,) = read_texts(data, 1)
    found = [_REPLY.match(line) for line in text.decode("utf-8", "replace").splitlines()]
    lines = [one for one in found if one is not None]
    if not lines:
        raise MilterSyntaxError("a reply that is none")
    code = int(lines[0][1])
    told = " ".join(one[3] for one in lines).replace("%%", "%")
    return _refusal(symbol, code, lines[0][2] or _DEFAULTS[code // 100], told)


def quarantined(symbol: str, reason: str) -> Verdict:
    """Kept from its recipients."""
    clean = _printable(reason)
    return Verdict(Action.QUARANTINE, (Scored(symbol, 0.0, clean),), symbols=(symbol,), text=clean)


def _refusal(symbol: str, code: int, status: str, text: str) -> Verdict:
    clean = _printable(text) or "Refused by a message filter"
    if int(status[0]) != code // 100:
        status = _DEFAULTS[code // 100]
    action = Action.REJECT if code >= 500 else Action.DEFER
    scored = (Scored(symbol, 0.0, clean),)
    return Verdict(action, scored, (symbol,), code=code, status=status, text=clean)


def changes_of(answers: Sequence[Said], *, leading_space: bool) -> tuple[Changes, str | None]:
    """The changes, and why the message is to be quarantined, None where it is not. Raises
    MilterSyntaxError. `leading_space`: values bring their own blank behind the colon.
    """
    edits: list[HeaderEdit] = []
    body: list[bytes] = []
    sender, reason = None, None
    recipients: dict[Answer, list[str]] = {Answer.ADD_RCPT: [], Answer.DELETE_RCPT: []}
    for answer, data in answers:
        if answer in _EDITS:
            edits.append(_edit(answer, data, b"" if leading_space else b" "))
        elif answer is Answer.REPLACE_BODY:
            body.append(data)
        elif answer is Answer.CHANGE_FROM:
            sender = _address(data)
        elif answer is Answer.QUARANTINE:
            reason = read_texts(data, 1)[0].decode("utf-8", "replace") or "quarantine"
        else:
            kind = Answer.DELETE_RCPT if answer is Answer.DELETE_RCPT else Answer.ADD_RCPT
            recipients[kind].append(_address(data))
    added, removed = recipients[Answer.ADD_RCPT], recipients[Answer.DELETE_RCPT]
    whole = b"".join(body) if body else None
    return Changes(tuple(edits), whole, sender, tuple(added), tuple(removed)), reason


_EDITS = (Answer.ADD_HEADER, Answer.INSERT_HEADER, Answer.CHANGE_HEADER)


def _edit(answer: Answer, data: bytes, blank: bytes) -> HeaderEdit:
    if answer is Answer.ADD_HEADER:
        name, value = read_texts(data, 2)
        return Insert(name, blank + value)
    index, name, value = read_numbered(data)
    if answer is Answer.INSERT_HEADER:
        # for a milter our own Received, which it does not see, is the first field
        return Insert(name, blank + value, max(index - 1, 0))
    return Change(name, index, blank + value if value else b"")


def _address(data: bytes) -> str:
    """Without brackets; parameters behind it are passed over."""
    text = read_texts(data, 1)[0].decode("utf-8", "replace").strip()
    return re.sub(r"[\x00-\x20\x7f<>]", "", text)[:320]


def _printable(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:_TEXT]
