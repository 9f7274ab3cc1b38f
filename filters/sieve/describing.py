"""Actions in words of Sieve, one line each: for records, dry runs and tests."""

from filters.sieve.actions import (
    Action,
    Discard,
    FileInto,
    Keep,
    Notify,
    Redirect,
    Reject,
    Vacation,
)
from filters.sieve.formatting import quote as quoted


def describe(action: Action) -> str:
    """`fileinto :flags ["\\\\Seen"] "Lists"`: what a script would say for it."""
    match action:
        case Keep():
            return "keep" + _flags(action.flags) + (" (implicit)" if action.implicit else "")
        case FileInto():
            return _filing(action, "fileinto")
        case Redirect():
            copy, members = " :copy" * action.copy, " :list" * action.members
            return f"redirect{copy}{members} {quote(action.address)}"
        case Discard():
            return "discard"
        case Reject():
            return f"{'ereject' if action.at_smtp else 'reject'} {quote(action.reason)}"
        case Vacation():
            return _vacation(action)
        case Notify():
            return _notify(action)


def quote(text: str) -> str:
    """A quoted string on one line."""
    return quoted(text).replace("\r", "").replace("\n", "\\n")


def _flags(flags: tuple[str, ...]) -> str:
    return f" :flags {_list(flags)}" if flags else ""


def _list(texts: tuple[str, ...]) -> str:
    return quote(texts[0]) if len(texts) == 1 else f"[{', '.join(map(quote, texts))}]"


def _filing(action: FileInto, name: str) -> str:
    special = f" :specialuse {quote(action.special_use)}" if action.special_use else ""
    copy, create = " :copy" * action.copy, " :create" * action.create
    return f"{name}{copy}{create}{special}{_flags(action.flags)} {quote(action.mailbox)}"


def _vacation(action: Vacation) -> str:
    out = f"vacation :seconds {action.seconds}"
    for name, value in (("subject", action.subject), ("from", action.sender)):
        out += f" :{name} {quote(value)}" if value else ""
    if action.mime:
        out += " :mime"
    if action.fcc is not None:
        out += _filing(action.fcc, " :fcc")
    out += f" {quote(action.reason)}"
    return out + (f" (not sent: {action.refused})" if action.refused else f" (to {action.to})")


def _notify(action: Notify) -> str:
    out = "notify"
    if action.sender:
        out += f" :from {quote(action.sender)}"
    if action.importance != 2:
        out += f' :importance "{action.importance}"'
    if action.message:
        out += f" :message {quote(action.message)}"
    if action.fcc is not None:
        out += _filing(action.fcc, " :fcc")
    return f"{out} {quote(action.method)}"
