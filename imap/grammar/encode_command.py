"""Commands to bytes, as a client with LITERAL+ writes them; `parse` gives the same command back.

The server sends none of this: tests speak it, and whatever is a client of another IMAP server.
"""

from binascii import b2a_base64
from collections.abc import Iterable
from functools import singledispatch

from imap.grammar import (
    append_commands,
    command,
    mailbox_commands,
    message_commands,
    search_commands,
    session_commands,
    utf7,
)
from imap.grammar.dates import format_date_time
from imap.grammar.encode import (
    astring,
    encode_id,
    fetch_item,
    flag_list,
    literal,
    mailbox,
    sequence_set,
    string,
)
from imap.grammar.encode_account import ENCODERS, encode_entries
from imap.grammar.encode_notify import encode_notify
from imap.grammar.encode_search import search_keys
from imap.grammar.encode_sort import (
    cancel_arguments,
    esearch_arguments,
    returns,
    sort_arguments,
    thread_arguments,
)
from imap.grammar.gmail import StoreLabels
from imap.grammar.resync import encode_resync
from imap.grammar.values import Literal

_UID_COMMANDS = (
    message_commands.Copy
    | message_commands.Expunge
    | message_commands.Fetch
    | message_commands.Move
    | append_commands.Replace
    | message_commands.Search
    | message_commands.Store
    | StoreLabels
    | search_commands.Sort
    | search_commands.Thread
)


def encode_command(command: command.Command) -> bytes:
    """The whole command with its CRLF; ValueError if a literal in it was streamed away."""
    name = type(command).__name__.upper()
    if isinstance(command, mailbox_commands.Select) and command.read_only:
        name = "EXAMINE"
    elif isinstance(command, StoreLabels):
        name = "STORE"
    prefix = "UID " if isinstance(command, _UID_COMMANDS) and command.uid else ""
    words = [f"{command.tag} {prefix}{name}".encode(), *_arguments(command)]
    return b" ".join(words) + b"\r\n"


@singledispatch
def _arguments(_: command.Command) -> list[bytes]:
    """The arguments; most commands have none."""
    return []


@_arguments.register
def _(command: session_commands.Authenticate) -> list[bytes]:
    if command.initial is None:
        return [command.mechanism.encode()]
    return [command.mechanism.encode(), _base64(command.initial)]


@_arguments.register
def _(command: session_commands.Compress) -> list[bytes]:
    return [command.mechanism.encode()]


@_arguments.register
def _(command: session_commands.Login) -> list[bytes]:
    return [_astring(command.user), _astring(command.password)]


@_arguments.register
def _(command: session_commands.Enable) -> list[bytes]:
    return [name.encode() for name in command.capabilities]


@_arguments.register
def _(command: session_commands.Id) -> list[bytes]:
    return [encode_id(command.parameters, plus=True)]


@_arguments.register
def _(command: mailbox_commands.Select) -> list[bytes]:
    parameters = [b"CONDSTORE"] if command.condstore else []
    if command.resync is not None:
        parameters.append(encode_resync(command.resync))
    return [mailbox(command.mailbox), *([b"(%s)" % b" ".join(parameters)] if parameters else [])]


@_arguments.register
def _(command: mailbox_commands.Create) -> list[bytes]:
    use = [b"(USE %s)" % flag_list(command.use)] if command.use else []
    return [mailbox(command.mailbox), *use]


@_arguments.register(
    mailbox_commands.Delete | mailbox_commands.Subscribe | mailbox_commands.Unsubscribe
)
def _(
    command: mailbox_commands.Delete | mailbox_commands.Subscribe | mailbox_commands.Unsubscribe,
) -> list[bytes]:
    return [mailbox(command.mailbox)]


@_arguments.register
def _(command: mailbox_commands.Rename) -> list[bytes]:
    return [mailbox(command.source), mailbox(command.target)]


@_arguments.register
def _(command: mailbox_commands.List) -> list[bytes]:
    patterns = [_pattern(pattern) for pattern in command.patterns]
    if not command.extended:
        return [_pattern(command.reference), *patterns]
    returns = [option.value.encode() for option in command.returns]
    if command.status:
        returns.append(b"STATUS " + _status_items(command.status))
    if command.metadata:
        returns.append(b"METADATA " + encode_entries(command.metadata))
    selection = _list(option.value for option in command.selection)
    options = [b"RETURN (%s)" % b" ".join(returns)] if returns else []
    return [selection, _pattern(command.reference), b"(%s)" % b" ".join(patterns), *options]


@_arguments.register(mailbox_commands.Lsub | mailbox_commands.Xlist)
def _(command: mailbox_commands.Lsub | mailbox_commands.Xlist) -> list[bytes]:
    return [_pattern(command.reference), _pattern(command.pattern)]


@_arguments.register
def _(command: mailbox_commands.Status) -> list[bytes]:
    return [mailbox(command.mailbox), _status_items(command.items)]


@_arguments.register
def _(command: append_commands.Append) -> list[bytes]:
    words = [mailbox(command.mailbox)]
    for message in command.messages:
        words += _message(message)
    return words


@_arguments.register
def _(command: append_commands.Replace) -> list[bytes]:
    number = sequence_set(command.sequence)
    return [number, mailbox(command.mailbox), *_message(command.message)]


@_arguments.register
def _(command: message_commands.Expunge) -> list[bytes]:
    return [] if command.sequence is None else [sequence_set(command.sequence)]


@_arguments.register
def _(command: message_commands.Search) -> list[bytes]:
    return [*returns(command.returns, command.partial), search_keys(command.key)]


_arguments.register(search_commands.Sort, sort_arguments)
_arguments.register(search_commands.Thread, thread_arguments)
_arguments.register(search_commands.Esearch, esearch_arguments)
_arguments.register(search_commands.CancelUpdate, cancel_arguments)


@_arguments.register
def _(command: message_commands.Fetch) -> list[bytes]:
    items = b" ".join([fetch_item(item, plus=True) for item in command.items])
    modifiers = []
    if command.changed_since is not None:
        modifiers.append(b"CHANGEDSINCE %d" % command.changed_since)
    if command.vanished:
        modifiers.append(b"VANISHED")
    if command.partial is not None:
        modifiers.append(b"PARTIAL " + command.partial.encode())
    behind = [b"(%s)" % b" ".join(modifiers)] if modifiers else []
    return [sequence_set(command.sequence), b"(%s)" % items, *behind]


@_arguments.register
def _(command: message_commands.Store) -> list[bytes]:
    since = command.unchanged_since
    modifiers = [] if since is None else [b"(UNCHANGEDSINCE %d)" % since]
    silent = ".SILENT" if command.silent else ""
    mode = f"{command.mode.value}FLAGS{silent}".encode()
    return [sequence_set(command.sequence), *modifiers, mode, flag_list(command.flags)]


@_arguments.register(message_commands.Copy | message_commands.Move)
def _(command: message_commands.Copy | message_commands.Move) -> list[bytes]:
    return [sequence_set(command.sequence), mailbox(command.mailbox)]


_arguments.register(message_commands.Notify, encode_notify)
for _kind, _encode in ENCODERS.items():
    _arguments.register(_kind, _encode)


def _astring(text: str) -> bytes:
    return astring(text.encode("utf-8"), plus=True)


def _pattern(text: str) -> bytes:
    return string(utf7.encode(text), plus=True)


def _message(message: append_commands.AppendMessage) -> list[bytes]:
    words = [flag_list(message.flags)] if message.flags else []
    if message.date is not None:
        words.append(format_date_time(message.date))
    if isinstance(message.data, append_commands.Catenate):
        parts = b" ".join(map(_part, message.data.parts))
        return [*words, b"CATENATE (%s)" % parts]
    return [*words, _text(message.data, message.utf8)]


def _part(part: append_commands.CatenatePart) -> bytes:
    if isinstance(part, append_commands.CatenateUrl):
        return b"URL " + _astring(part.url)
    return _text(part.literal, True) if part.utf8 else b"TEXT " + _literal(part.literal)


def _text(value: Literal, utf8: bool) -> bytes:
    return b"UTF8 (%s)" % _literal(value) if utf8 else _literal(value)


def _literal(value: Literal) -> bytes:
    if value.data is None:
        raise ValueError("a streamed literal has no octets to send")
    return literal(value.data, True, value.binary)


def _list(words: Iterable[str]) -> bytes:
    return f"({' '.join(words)})".encode()


def _status_items(items: Iterable[mailbox_commands.StatusItem]) -> bytes:
    return _list(item.value for item in items)


def _base64(octets: bytes) -> bytes:
    return b2a_base64(octets, newline=False) or b"="
