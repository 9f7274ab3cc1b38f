"""Commands about quotas and metadata to bytes, for encode_command."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from imap.grammar.encode import astring, mailbox
from imap.grammar.quota import GetQuota, GetQuotaRoot, SetQuota


def _getquota(command: GetQuota) -> list[bytes]:
    return [astring(command.root.encode(), plus=True)]


def _getquotaroot(command: GetQuotaRoot) -> list[bytes]:
    return [mailbox(command.mailbox)]


def _setquota(command: SetQuota) -> list[bytes]:
    limits = b" ".join([b"%s %d" % (name.encode(), limit) for name, limit in command.limits])
    return [astring(command.root.encode(), plus=True), b"(%s)" % limits]


ENCODERS: Final[Mapping[type, Callable[[Any], list[bytes]]]] = {
    GetQuota: _getquota,
    GetQuotaRoot: _getquotaroot,
    SetQuota: _setquota,
}
