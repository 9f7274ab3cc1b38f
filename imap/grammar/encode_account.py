"""Commands about quotas, rights and metadata to bytes, for encode_command."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from imap.grammar.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from imap.grammar.encode import astring, mailbox, sequence_set
from imap.grammar.gmail import StoreLabels, encode_label
from imap.grammar.metadata import GetMetadata, SetMetadata, value_of
from imap.grammar.quota import GetQuota, GetQuotaRoot, SetQuota


def _getquota(command: GetQuota) -> list[bytes]:
    return [astring(command.root.encode(), plus=True)]


def _getquotaroot(command: GetQuotaRoot) -> list[bytes]:
    return [mailbox(command.mailbox)]


def _setquota(command: SetQuota) -> list[bytes]:
    limits = b" ".join([b"%s %d" % (name.encode(), limit) for name, limit in command.limits])
    return [astring(command.root.encode(), plus=True), b"(%s)" % limits]


def _getmetadata(command: GetMetadata) -> list[bytes]:
    options = [] if command.max_size is None else [b"MAXSIZE %d" % command.max_size]
    if command.depth != 0:
        options.append(b"DEPTH 1" if command.depth else b"DEPTH infinity")
    return [
        *([b"(%s)" % b" ".join(options)] if options else []),
        mailbox(command.mailbox),
        encode_entries(command.entries),
    ]


def _setmetadata(command: SetMetadata) -> list[bytes]:
    pairs = [
        b"%s %s" % (astring(name.encode(), plus=True), value_of(value, plus=True))
        for name, value in command.values
    ]
    return [mailbox(command.mailbox), b"(%s)" % b" ".join(pairs)]


def _labels(command: StoreLabels) -> list[bytes]:
    mode = f"{command.mode}X-GM-LABELS{'.SILENT' if command.silent else ''}".encode()
    labels = b" ".join([encode_label(label) for label in command.labels])
    return [sequence_set(command.sequence), mode, b"(%s)" % labels]


def encode_entries(names: Iterable[str]) -> bytes:
    """Names of entries in parentheses."""
    return b"(%s)" % b" ".join([astring(name.encode(), plus=True) for name in names])


def _mailbox(command: GetAcl | MyRights) -> list[bytes]:
    return [mailbox(command.mailbox)]


def _identifier(command: DeleteAcl | ListRights | SetAcl) -> list[bytes]:
    return [mailbox(command.mailbox), astring(command.identifier.encode(), plus=True)]


def _setacl(command: SetAcl) -> list[bytes]:
    rights = f"{command.sign}{command.rights}".encode()
    return [*_identifier(command), astring(rights, plus=True)]


ENCODERS: Final[Mapping[type, Callable[[Any], list[bytes]]]] = {
    GetMetadata: _getmetadata,
    GetQuota: _getquota,
    GetQuotaRoot: _getquotaroot,
    SetMetadata: _setmetadata,
    StoreLabels: _labels,
    SetQuota: _setquota,
    GetAcl: _mailbox,
    MyRights: _mailbox,
    DeleteAcl: _identifier,
    ListRights: _identifier,
    SetAcl: _setacl,
}
