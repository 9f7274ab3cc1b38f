"""Refusals by policy, each logged under an id that its reply carries: `550 5.7.1 ... (id 65f2a.3)`.

The id is that of the connection and a number in it. Syntax errors, commands out of order and
troubles of our own are no refusals.
"""

from collections.abc import Sequence

from config.logging import Logger
from filters.context import Context
from filters.filter import Stage
from filters.record import Recorder
from filters.verdict import Verdict
from smtp.grammar.reply import Reply, reply

# Octets of a reply's last line, so that the id behind it is never cut off.
_TEXT = 420


def record(
    log: Logger,
    context: Context,
    stage: Stage,
    number: int,
    answer: Reply,
    *,
    sender: str | None = None,
    recipient: str = "",
    symbols: Sequence[str] = (),
    recorder: Recorder | None = None,
) -> Reply:
    """Logs `refused` with all that is known; the answer with the id. `log` knows the connection and
    the peer; `sender` is given while the context does not have it.
    """
    name = f"{context.connection}.{number}"
    sender = context.sender if sender is None else sender
    if recorder is not None:
        recorder.refused(
            *(context, name, stage.value, (answer.code, answer.status, answer.text)),
            sender=sender,
            recipient=recipient,
            symbols=symbols,
        )
    about: dict[str, object] = {
        "helo": context.helo,
        "sender": sender,
        "recipient": recipient,
        "message": context.trace,
        "reverse": context.peer.reverse,
        "symbols": list(symbols),
    }
    log.info(
        "refused",
        id=name,
        stage=stage.value,
        code=answer.code,
        status=answer.status,
        reason=answer.text,
        **{key: value for key, value in about.items() if value},
    )
    return with_id(answer, name)


def with_id(answer: Reply, name: str) -> Reply:
    """The same answer with an id at its end."""
    *lines, last = answer.lines
    text = last.encode("utf-8", "replace")[:_TEXT].decode("utf-8", "ignore")
    return reply(answer.code, answer.status, *lines, f"{text} (id {name})")


def reply_of(verdict: Verdict) -> Reply:
    """The reply of a verdict that refuses."""
    return reply(verdict.code, verdict.status, verdict.text)
