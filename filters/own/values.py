"""Between the pipeline's values and those that authors of filters know (filters/own/api.py)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from filters.authentication.results import ArcResult, DkimResult, DmarcResult, Result, SpfResult
from filters.context import Context, Message
from filters.own import api
from filters.own.process import Job
from filters.verdict import Action, Scored, Verdict

ACTIONS = {
    "accept": Action.ACCEPT,
    "junk": Action.JUNK,
    "quarantine": Action.QUARANTINE,
    "defer": Action.DEFER,
    "reject": Action.REJECT,
}
MOST_SYMBOLS = 50
MOST_TAGS = 20
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_TAG = re.compile(r"[!#$&'+,./0-9:;<=>?@A-Z\[^_`a-z|~-]{1,64}")
_TEXT = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What one filter said. `error` is "" unless it failed at `line` of its file."""

    name: str
    verdict: api.Verdict = api.Verdict()
    seconds: float = 0.0
    error: str = ""
    line: int = 0
    printed: str = ""
    spent: bool = False


def job_of(context: Context, message: Message) -> Job:
    """What filters are asked about a message."""
    content = message.content
    fields = _plain(author_context(context))
    if content.data is not None:
        return Job(fields, content.prefix + content.data[content.start :])
    return Job(fields, content.prefix, str(content.path), content.start)


def job_of_stored(context: api.Context, raw: bytes) -> Job:
    """The same for a message that has been delivered long since."""
    return Job(_plain(context), raw)


def author_context(context: Context) -> api.Context:
    """What an author sees of the transaction."""
    told = list(context.verdicts)
    return api.Context(
        kind=context.kind.value,
        peer=context.peer.address,
        reverse=context.peer.reverse,
        local=context.peer.local,
        helo=context.helo,
        tls=context.tls,
        account=context.login.address if context.login is not None else "",
        sender=context.sender,
        recipients=tuple(one.address for one in context.recipients),
        size=context.message.content.size if context.message is not None else context.size,
        authentication=tuple(_authenticated(one) for one in context.results),
        symbols=context.symbols,
        score=sum(one.score for one in told),
    )


def read_answer(name: str, answer: Mapping[str, Any]) -> Answer:
    """An answer of a process, looked at field by field."""
    seconds, line = answer.get("seconds"), answer.get("line")
    printed, error = answer.get("printed"), answer.get("error")
    found = Answer(
        name,
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        line=line if isinstance(line, int) else 0,
        printed=printed if isinstance(printed, str) else "",
        spent=answer.get("memory") is True,
    )
    try:
        if error is not None:
            raise ValueError(str(error))
        verdict = _verdict(answer)
    except (ValueError, TypeError, KeyError) as failure:
        return _replaced(found, error=str(failure) or "no verdict")
    return _replaced(found, verdict=verdict)


def _replaced(answer: Answer, **changes: Any) -> Answer:
    return Answer(**{name: getattr(answer, name) for name in Answer.__slots__} | changes)


def _verdict(answer: Mapping[str, Any]) -> api.Verdict:
    """Raises ValueError with what is wrong, TypeError and KeyError for nonsense."""
    symbols, tags = answer["symbols"], answer["tags"]
    if len(symbols) > MOST_SYMBOLS or len(tags) > MOST_TAGS:
        raise ValueError(f"at most {MOST_SYMBOLS} symbols and {MOST_TAGS} tags")
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise ValueError(f"{tag!r:.80} can't be an IMAP keyword")
    return api.Verdict(
        api.Action(answer["action"]),
        _printable(answer["text"]),
        tuple(_symbol(*one) for one in symbols),
        frozenset(tags),
    )


def _symbol(name: str, weight: float, detail: str) -> api.Symbol:
    if not _SYMBOL.fullmatch(name):
        raise ValueError(f"{name!r:.80} can't be a symbol: letters, digits and _.:-")
    if not -1000 <= weight <= 1000:
        raise ValueError(f"{name} has a weight beyond 1000")
    return api.Symbol(name, float(weight), _printable(detail))


def _printable(text: str) -> str:
    """Fit for a reply: one line of ASCII."""
    clean = "".join(char if " " <= char <= "~" else "?" for char in text)
    return clean[:_TEXT]


def verdict_of(answer: Answer, *, shadow: bool) -> Verdict:
    """What the pipeline gets: symbols under the filter's own name tell which one it was."""
    own = f"OWN_{answer.name.upper().replace('-', '_')}"
    if answer.error:
        where = f" (line {answer.line})" if answer.line else ""
        name = f"{own}_ERROR"
        return Verdict(scored=(Scored(name, 0.0, answer.error + where),), symbols=(name,))
    said = answer.verdict
    if shadow:
        told = describe(said)
        if not told:
            return Verdict()
        return Verdict(scored=(Scored(f"{own}_SHADOW", 0.0, told),), symbols=(f"{own}_SHADOW",))
    action = ACTIONS[said.action.value]
    mark = (Scored(own, 0.0, said.text),) if action is not Action.ACCEPT else ()
    scored = (*mark, *(Scored(one.name, one.weight, one.detail) for one in said.symbols))
    code, status = _REPLIES.get(action, (0, ""))
    return Verdict(
        action,
        scored,
        tuple(one.name for one in scored),
        keywords=said.tags,
        code=code,
        status=status,
        text=said.text or _TEXTS.get(action, ""),
    )


_REPLIES = {Action.REJECT: (550, "5.7.1"), Action.DEFER: (450, "4.7.1")}
_TEXTS = {Action.REJECT: "Message refused by policy", Action.DEFER: "Try again later"}


def describe(verdict: api.Verdict) -> str:
    """A verdict in one line, "" when it says nothing."""
    words = [] if verdict.action is api.Action.ACCEPT else [verdict.action.value]
    words += [verdict.text] * bool(words and verdict.text)
    words += [f"{one.name}({one.weight:+g})" for one in verdict.symbols]
    words += [f"tag {one}" for one in sorted(verdict.tags)]
    return ", ".join(words)


def _plain(context: api.Context) -> dict[str, Any]:
    fields = {name: getattr(context, name) for name in api.Context.__slots__}
    told = context.authentication
    return {**fields, "authentication": [(one.method, one.result, one.domain) for one in told]}


def _authenticated(result: Result) -> api.Authenticated:
    if isinstance(result, SpfResult):
        return api.Authenticated("spf", result.outcome.value, result.domain)
    if isinstance(result, DkimResult):
        return api.Authenticated("dkim", result.outcome.value, result.domain)
    if isinstance(result, ArcResult):
        return api.Authenticated("arc", result.outcome.value, ",".join(result.sealers))
    assert isinstance(result, DmarcResult)
    return api.Authenticated("dmarc", result.outcome.value, result.domain)
