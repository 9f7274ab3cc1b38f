"""A record in plain words: what is told of each happening, one line each. Pure.

Invariant: what a peer chose is shown without control characters.
"""

import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from storage.explain_values import Kind, Recorded

Data = Mapping[str, Any]
_STAGES = {
    "connect": "At connect",
    "helo": "At HELO",
    "mail": "At MAIL",
    "rcpt": "At RCPT",
    "data": "At DATA",
}
_HOW = {"smtp": "SMTP", "submission": "submission", "lmtp": "LMTP", "local": "this server"}
_RESULT = {
    "junk": "this belongs into Junk",
    "quarantine": "this belongs into quarantine",
    "defer": "not now",
    "reject": "no",
}
_ELSEWHERE = ("asked", "authentication", "copy", "peer", "scripts", "spam")
RANKS = {"connected": 0, "filters": 1, "filter": 1, "authentication": 2, "spam": 3, "difference": 4}
"""The order of what happened at the same time; the rest comes after it as it is."""
_HEX = frozenset(string.hexdigits)


class Told(NamedTuple):
    """One line: when (Unix seconds), what kind of happening, in words, and the same as values."""

    at: float
    what: str
    text: str
    more: Data


def visible(text: str) -> str:
    """Fit for a terminal: one line, nothing that steers it."""
    return "".join(char if char.isprintable() else "?" for char in text)


def time_of(trace: str) -> float | None:
    """When an id of a connection or message was made, in Unix seconds (filters/envelope.py)."""
    digits = trace[:-3]
    if not 10 <= len(digits) <= 14 or not _HEX.issuperset(digits):
        return None
    return int(digits, 16) / 1e6


def told(row: Recorded, *, again: bool = False) -> list[Told]:
    """The lines of one happening but for its local copies. `again`: the message was taken before,
    and now it left the quarantine.
    """
    if row.kind is Kind.MESSAGE:
        taken = _taken(row, here=again or row.data.get("how") == "local")
        return [*_connected(row), *_filters(row), *_proved(row), *_spam(row), taken]
    if row.kind is Kind.REFUSED:
        return [*_connected(row), *_filters(row), *_spam(row), _refused(row)]
    if row.kind is Kind.COPY:
        return []
    return [_LATER[row.kind](row)]


def _connected(row: Recorded) -> list[Told]:
    peer = row.data.get("peer") or {}
    address = peer.get("address", "")
    if not address:
        return []
    at = time_of(peer.get("connection", "")) or row.at
    port = f" port {peer['port']}" if peer.get("port") else ""
    text = f"{address}{port}"
    if peer.get("reverse"):
        text += f" ({peer['reverse']})"
    text += f" connected by {_HOW.get(row.data.get('how', ''), 'SMTP')}"
    text += f", said {peer['helo']}" if peer.get("helo") else ""
    text += f", {peer['tls']}" if peer.get("tls") else ", without TLS"
    text += f", logged in as {peer['login']}" if peer.get("login") else ""
    return [Told(min(at, row.at), "connected", visible(text), dict(peer))]


def _filters(row: Recorded) -> list[Told]:
    peer = row.data.get("peer") or {}
    began = time_of(peer.get("connection", "")) or row.at
    mail = time_of(row.trace) or row.at
    times = {"connect": began, "helo": began, "mail": mail, "rcpt": mail, "data": row.at}
    lines = []
    for stage, answers in _by_stage(row.data.get("asked") or []):
        at = min(times.get(stage, row.at), row.at)
        quiet = [one for one in answers if not _more(one)]
        lines += [_said(at, one) for one in answers if _more(one)]
        if quiet:
            names = ", ".join(f"{name} {ms:g} ms" for _, name, ms, *_ in quiet)
            where = _STAGES.get(stage, stage)
            values = {"stage": stage, "filters": [[name, ms] for _, name, ms, *_ in quiet]}
            text = visible(f"{where} nothing was found by {names}")
            lines.append(Told(at, "filters", text, values))
    return lines


def _by_stage(asked: Sequence[Sequence[Any]]) -> Iterable[tuple[str, list[Sequence[Any]]]]:
    stages: dict[str, list[Sequence[Any]]] = {}
    for one in asked:
        stages.setdefault(str(one[0]), []).append(one)
    return stages.items()


def _more(one: Sequence[Any]) -> Data:
    return one[3] if len(one) > 3 else {}


def _said(at: float, one: Sequence[Any]) -> Told:
    stage, name, ms = one[:3]
    more = _more(one)
    where = f"{_STAGES.get(stage, stage)} {name}"
    values = {"stage": stage, "filter": name, "milliseconds": ms, **more}
    if more.get("skipped"):
        return Told(at, "filter", visible(f"{where} was left out by a policy"), values)
    if more.get("error"):
        return Told(at, "filter", visible(f"{where} failed: {more['error']} ({ms:g} ms)"), values)
    text = f"{where} found {_symbols(more) or 'nothing'}"
    text += f", in all {more['score']:g}" if len(more.get("scored", ())) > 1 else ""
    text += f": {_decision(more)}" if more.get("action", "accept") != "accept" else ""
    return Told(at, "filter", visible(f"{text} ({ms:g} ms)"), values)


def _symbols(more: Data) -> str:
    scored = {name: (weight, detail) for name, weight, detail in more.get("scored", ())}
    names = list(dict.fromkeys([*scored, *more.get("symbols", ())]))
    parts = []
    for name in names:
        weight, detail = scored.get(name, (None, ""))
        number = f" {weight:+g}" if weight else ""
        parts.append(f"{name}{number}{f' ({detail})' if detail else ''}")
    return ", ".join(parts)


def _decision(more: Data) -> str:
    answer = _reply(more.get("answer"))
    said = _RESULT.get(str(more.get("action")), str(more.get("action")))
    return f"{said}, {answer}" if answer else said


def _reply(answer: Sequence[Any] | None) -> str:
    return " ".join(str(part) for part in answer if part) if answer else ""


def _proved(row: Recorded) -> list[Told]:
    """What authentication found."""
    found = row.data.get("authentication")
    if not found:
        return []
    text = f"Authentication: {'; '.join(map(str, found))}"
    return [Told(row.at, "authentication", visible(text), {"results": found})]


def _spam(row: Recorded) -> list[Told]:
    """The score that counted, of the symbols of all filters."""
    data = row.data.get("spam")
    if not data:
        return []
    names = _symbols(data)
    text = f"Spam score {data.get('score', 0):g}: {names or 'nothing that counts'}"
    if data.get("probability") is not None:
        text += f"; by what was learned it is spam with {data['probability']:.2%}"
    return [Told(row.at, "spam", visible(text), data)]


def _taken(row: Recorded, *, here: bool) -> Told:
    """`here`: no peer brought it, but a notice, what waited for its time, or the quarantine."""
    data = row.data
    names = [str(one.get("address", "")) for one in data.get("recipients") or ()]
    whom = _names(names, int(data.get("count") or len(names)))
    answer = data.get("answer") or [0, "", ""]
    done = answer[0] == 250
    verb = "Taken" if done else "Not taken"
    if here:
        verb = "Given to delivery by this server," if done else "Not delivered,"
    text = f"{verb} from <{data.get('sender', '')}> for {whom}: {data.get('size', 0)} octets"
    header = data.get("header") or {}
    text += "".join(f", {name.title()}: {value}" for name, value in header.items())
    reply = _reply(answer)
    text += f"; answered {reply}{f', id {row.trace}' if done and row.trace not in reply else ''}"
    values = {key: value for key, value in data.items() if key not in _ELSEWHERE}
    return Told(row.at, "taken" if done else "not taken", visible(text), values)


def _names(names: Sequence[str], count: int) -> str:
    shown = ", ".join(f"<{name}>" for name in names) or "nobody"
    return shown if count <= len(names) else f"{shown} and {count - len(names)} more"


def _refused(row: Recorded) -> Told:
    data = row.data
    where = str(data.get("stage", "")).upper()
    text = f"Refused at {where}"
    text += f" from <{data['sender']}>" if data.get("sender") else ""
    names = [data["recipient"]] if data.get("recipient") else data.get("recipients") or []
    text += f" for {_names(names, len(names))}" if names else ""
    header = data.get("header") or {}
    text += "".join(f", {name.title()}: {value}" for name, value in header.items())
    text += f": {_reply(data.get('answer'))} (id {row.ident})"
    if data.get("symbols"):
        text += f"; found: {', '.join(data['symbols'])}"
    if data.get("unrecorded"):
        text += f"; {data['unrecorded']} refusals before it were only counted"
    values = {key: value for key, value in data.items() if key not in _ELSEWHERE}
    return Told(row.at, "refused", visible(text), {"id": row.ident, **values})


def _attempt(row: Recorded) -> Told:
    data = row.data
    by = f"{data['remote']} said" if data.get("remote") else "no host was reached:"
    if data.get("state") == "delivered" and not data.get("remote"):
        by = "this server said"
    text = f"Attempt {data.get('attempt', 1)} for <{data.get('recipient', '')}>: {by} "
    text += f"{data.get('reply', '')}"
    text += f", {_tls(data['tls'])}" if data.get("tls") else ""
    text += f", from {data['source']}" if data.get("source") else ""
    state = data.get("state")
    text += {"delivered": "; handed on", "failed": "; given up"}.get(
        str(state), "; tried again later"
    )
    if data.get("told"):
        text += f"; the sender was told ({data['told']})"
    return Told(row.at, "attempt", visible(text), {"queue": row.queue, **data})


def _tls(told: str) -> str:
    return "without TLS" if told == "none" else told


def _quarantined(row: Recorded) -> Told:
    why = row.data.get("reason") or "the verdict of the filters"
    text = f"Kept in quarantine as {row.data.get('id')} because of {why}"
    return Told(row.at, "quarantined", visible(text), row.data)


def _released(row: Recorded) -> Told:
    names = [str(one) for one in row.data.get("recipients", ())]
    text = f"Released from quarantine by {row.data.get('by') or 'an administrator'}"
    text += f" for {_names(names, len(names))}"
    return Told(row.at, "released", visible(text), row.data)


def _deleted(row: Recorded) -> Told:
    text = f"Deleted from quarantine by {row.data.get('by') or 'an administrator'}"
    return Told(row.at, "deleted", visible(text), row.data)


_LATER = {
    Kind.ATTEMPT: _attempt,
    Kind.QUARANTINED: _quarantined,
    Kind.RELEASED: _released,
    Kind.DELETED: _deleted,
}
