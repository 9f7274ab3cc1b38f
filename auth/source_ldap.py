"""Accounts of an LDAP directory: found by a filter, proved by a bind or by a hash that it shows."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from auth.source_values import (
    Record,
    SourceError,
    name_of,
    names_of,
    quota_of,
    switch_of,
    usable_hash,
)
from config.ldap_filter import Compared, Filter, Several, Value, parse_filter
from config.sections_accounts import AccountSource
from message.address import Mailbox
from net.client_tls import verified_context
from net.ldap import Ldap, LdapError, LdapRefused, LdapServer, Login
from net.ldap_message import Entry, Search
from net.threads import Offload

_SCOPES: Final = {"one": 1, "sub": 2}
_PORTS: Final = {"ldap": 389, "ldaps": 636}
_MEMBERS: Final = ("member", "uniqueMember")


class LdapAccounts:
    """One directory. Everything raises SourceError."""

    def __init__(self, source: AccountSource, offload: Offload) -> None:
        self._source, self._offload = source, offload
        self._logins = parse_filter(source.filter)
        recipients = source.recipient_filter
        self._recipients = parse_filter(recipients) if recipients else self._logins
        self._directory: Ldap | None = None

    async def find(self, address: Mailbox, *, login: bool) -> Record | None:
        """Several entries are an error: nobody can say whose it is."""
        names = dict(zip("und", names_of(address), strict=True))
        wanted = self._logins if login else self._recipients
        found = await self._search(
            self._source.base, _SCOPES[self._source.scope], wanted, names, self._attributes(), 2
        )
        if len(found) > 1:
            raise SourceError(f"several entries for {names['u']}: make the filter more precise")
        if not found:
            return None
        record = self._record(found[0])
        if record is None or not self._source.admin_group:
            return record
        return replace(record, admin=await self._is_admin(found[0].dn))

    async def bind(self, record: Record, password: str) -> bool:
        """As the user; a password that is empty or holds NUL never reaches the directory."""
        if not password or "\0" in password:
            return False
        try:
            return await (await self._opened()).bind(record.dn, password)
        except LdapError as error:
            raise _unanswered(error) from None

    async def close(self) -> None:
        if self._directory is not None:
            await self._directory.close()

    async def _search(
        self,
        base: str,
        scope: int,
        wanted: Filter,
        names: dict[str, str],
        attributes: tuple[str, ...],
        most: int,
    ) -> list[Entry]:
        seconds = max(1, round(self._source.timeout))
        search = Search(base, scope, wanted, names, attributes, most, seconds)
        try:
            return await (await self._opened()).search(search)
        except LdapError as error:
            raise _unanswered(error) from None

    async def _opened(self) -> Ldap:
        if self._directory is None:
            try:
                servers = await self._offload.disk(_servers, self._source)
            except (OSError, ValueError) as error:
                raise SourceError(f"ca: {error}", away=True) from None
            login = Login(self._source.bind_dn, self._source.bind_password.get_secret_value())
            made = Ldap(servers, login, self._source.timeout)
            if self._directory is None:  # another may have been first
                self._directory = made
        return self._directory

    def _attributes(self) -> tuple[str, ...]:
        names = self._source.attributes
        hashed = names.password if self._source.verify == "hash" else ""
        wanted = (names.address, names.name, names.quota, names.enabled, hashed)
        return tuple(dict.fromkeys(name for name in wanted if name))

    def _record(self, entry: Entry) -> Record | None:
        names, hashed = self._source.attributes, self._source.verify == "hash"
        address = _first(entry, names.address)
        if not address or not entry.dn:
            return None
        enabled = _first(entry, names.enabled)
        # `{CRYPT}` and its like beside others: the first that can be checked
        values = entry.attributes.get(names.password.lower(), ()) if hashed else ()
        usable = (usable_hash(one.decode("utf-8", "replace")) for one in values)
        return Record(
            address,
            name_of(_first(entry, names.name)),
            quota_of(_first(entry, names.quota)) if names.quota else None,
            None,
            switch_of(enabled or None),
            next(filter(None, usable), ""),
            "" if hashed else entry.dn,
        )

    async def _is_admin(self, dn: str) -> bool:
        me = Value(_escaped(dn))
        member = Several(False, tuple(Compared(name, "=", me) for name in _MEMBERS))
        return bool(await self._search(self._source.admin_group, 0, member, {}, ("1.1",), 1))


def _unanswered(error: LdapError) -> SourceError:
    return SourceError(str(error), away=not isinstance(error, LdapRefused))


def _first(entry: Entry, name: str) -> str:
    values = entry.attributes.get(name.lower(), ()) if name else ()
    return values[0].decode("utf-8", "replace").strip() if values else ""


def _escaped(text: str) -> str:
    """A text as it stands in a filter (RFC 4515 §3)."""
    return "".join(f"\\{octet:02x}" for octet in text.encode())


def _servers(source: AccountSource) -> list[LdapServer]:
    """Reads certificates: blocks."""
    context = _context(source.ca)
    found = []
    for uri in source.uri:
        parts = urlsplit(uri)
        secured = parts.scheme == "ldaps" or source.start_tls
        port = parts.port or _PORTS[parts.scheme]
        found.append(
            LdapServer(parts.hostname or "", port, context if secured else None, source.start_tls)
        )
    return found


def _context(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        return verified_context()
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
