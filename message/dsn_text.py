"""The human part of a delivery report: what happened, in plain words."""

from datetime import datetime
from textwrap import fill

from message.date import format_date

_REASONS = {
    "1.0": "The address is not accepted.",
    "1.1": "There is no such address at that domain.",
    "1.2": "The domain does not exist or takes no mail.",
    "1.3": "The address is not valid.",
    "1.6": "The recipient has moved and left no new address.",
    "1.10": "The domain takes no mail.",
    "2.0": "The mailbox cannot take the message.",
    "2.1": "The mailbox is disabled.",
    "2.2": "The mailbox is full.",
    "2.3": "The message is larger than the mailbox accepts.",
    "3.0": "The recipient's mail system has a problem.",
    "3.1": "The recipient's mail system has no space left.",
    "3.2": "The recipient's mail system takes no messages at present.",
    "3.4": "The message is larger than the recipient's mail system accepts.",
    "4.0": "The recipient's mail system could not be reached.",
    "4.1": "The recipient's mail system does not answer.",
    "4.2": "The connection to the recipient's mail system broke.",
    "4.3": "The domain's mail systems could not be looked up.",
    "4.4": "No way to the recipient's mail system is known.",
    "4.6": "The message goes round in a loop.",
    "4.7": "It could not be delivered in the time allowed.",
    "6.0": "The content cannot be handled by the recipient's mail system.",
    "6.7": "The recipient's mail system does not take internationalized addresses.",
    "7.0": "The recipient's mail system refused the message by its policy.",
    "7.1": "The recipient's mail system refused the message by its policy.",
    "7.4": "A secure connection that was asked for could not be made.",
    "7.26": "The sender could not be authenticated.",
}
_TEMPORARY = "The problem is of a kind that may pass."
_PERMANENT = "The recipient's mail system refused the message."
_DONE = ""


def reason(status: str) -> str:
    """A sentence for an enhanced status code (RFC 3463), "" for success."""
    kind, _, detail = status.partition(".")
    if kind == "2":
        return _DONE
    subject = detail.partition(".")[0]
    general = _TEMPORARY if kind == "4" else _PERMANENT
    return _REASONS.get(detail) or _REASONS.get(f"{subject}.0", general)


def entry(
    address: str, status: str, remote_mta: str, diagnostic: str, until: datetime | None
) -> str:
    """The paragraph of one recipient, lines ended by LF."""
    lines = [f"<{address}>"]
    if status == "5.7.1" and not remote_mta:
        lines.append(_indent("This server does not send to the address."))
    elif sentence := reason(status):
        lines.append(_indent(sentence))
    if diagnostic:
        who = f"{remote_mta} answered: " if remote_mta else ""
        lines.append(_indent(who + diagnostic))
    if until is not None:
        lines.append(_indent(f"Attempts go on until {format_date(until)}."))
    return "\n".join(lines) + "\n"


def _indent(text: str) -> str:
    return fill(text, 74, initial_indent="    ", subsequent_indent="    ")
