"""The aliases of the directory: a base of storage/directory.py, which has the rest."""

from collections.abc import Sequence
from dataclasses import replace

from storage import directory_rows as rows
from storage.directory_cache import DirectoryCache
from storage.directory_domains import DomainDirectory
from storage.directory_names import address_key, address_of, alias_name, catch_all_key
from storage.directory_values import Absent, Alias, NotAllowed


class AliasDirectory(DomainDirectory):
    """Its attributes are set by the directory."""

    _cache: DirectoryCache

    async def aliases(self) -> list[Alias]:
        """All aliases in order, from SQL."""
        return await self.database.finish(self._aliases())

    async def add_alias(
        self, alias: str, targets: Sequence[str], *, send_as: bool = False
    ) -> Alias:
        """`alias` is an address or `@domain`; targets may be of any domain and need not exist.
        `send_as`: members of a group may send as it. Raises AlreadyExists, NotAllowed.
        """
        return await self.database.finish(self._add_alias(alias, targets, send_as))

    async def set_send_as(self, alias: str, send_as: bool) -> Alias:
        """Whether members of a group may send as it. Raises Absent."""
        return await self.database.finish(self._set_send_as(alias, send_as))

    async def delete_alias(self, alias: str) -> Alias:
        """Raises Absent."""
        return await self.database.finish(self._delete_alias(alias))

    async def _aliases(self) -> list[Alias]:
        async with self.database.reading() as connection:
            return await rows.all_aliases(connection)

    async def _add_alias(self, alias: str, targets: Sequence[str], send_as: bool) -> Alias:
        if not targets:
            raise NotAllowed(f"{alias} needs at least one target")
        key, text, domain = alias_name(alias, self.serves)
        boxes = {box.key(): str(box) for box in map(address_of, targets)}
        if set(boxes) == {key}:
            raise NotAllowed(f"{alias} would lead to itself alone")
        value = Alias(text, tuple(boxes.values()), send_as)
        async with self.database.writing() as connection:
            await rows.refuse_taken(connection, key, text)
            await rows.insert_alias(connection, key, domain, value, self._clock.now())
        self._names_changed()
        return value

    async def _set_send_as(self, alias: str, send_as: bool) -> Alias:
        key = catch_all_key(alias) or address_key(alias)
        async with self.database.writing() as connection:
            value = (await rows.aliases_by_key(connection, (key,))).get(key)
            if value is None:
                raise Absent(f"There is no alias {alias}")
            await rows.set_send_as(connection, key, send_as)
        self._names_changed()
        return replace(value, send_as=send_as)

    async def _delete_alias(self, alias: str) -> Alias:
        key = catch_all_key(alias) or address_key(alias)
        async with self.database.writing() as connection:
            value = (await rows.aliases_by_key(connection, (key,))).get(key)
            if value is None:
                raise Absent(f"There is no alias {alias}")
            await rows.remove_alias(connection, key)
        self._names_changed()
        return value
