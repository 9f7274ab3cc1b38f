"""The domains of the directory: a base of storage/directory_aliases.py.

Some stand in the configuration, the others were added by commands and stand in SQL.
"""

from abc import ABC, abstractmethod

from config.clock import Clock
from config.settings import Settings
from storage import directory_rows as rows
from storage.config_database import ConfigDatabase
from storage.directory_names import domain_of, is_host_name
from storage.directory_values import Absent, AlreadyExists, Domain, NotAllowed
from storage.finished import finished
from storage.resolver import Resolver
from storage.sites import sites_of


class DomainDirectory(ABC):
    """Its attributes are set by the directory; `_commanded` are the domains in SQL."""

    database: ConfigDatabase
    _settings: Settings
    _commanded: set[str]
    _clock: Clock
    _resolver: Resolver

    def serves(self, domain: str) -> bool:
        """Whether a domain (lower case A-labels) is ours."""
        return self._resolver.sites.serves(domain)

    def sole_domain(self) -> str | None:
        """The served domain if there is exactly one."""
        sites = self._resolver.sites
        return sites.primary if len(sites.served) == 1 else None

    def domains(self) -> list[Domain]:
        """All served domains by name."""
        return self._resolver.sites.listed()

    @finished
    async def add_domain(self, name: str) -> Domain:
        """Raises AlreadyExists, NotAllowed."""
        domain = domain_of(name)
        if not is_host_name(domain):
            raise NotAllowed(f"{name!r} is not a domain: only letters, digits and hyphens")
        if self.serves(domain):
            raise AlreadyExists(f"{domain} is served already")
        async with self.database.writing() as connection:
            await rows.insert_domain(connection, domain, self._clock.now())
        self._set_commanded(self._commanded | {domain})
        self._names_changed()
        return next(each for each in self.domains() if each.name == domain)

    @finished
    async def delete_domain(self, name: str) -> Domain:
        """Raises Absent, NotAllowed (configured, or still with accounts or aliases)."""
        domain = domain_of(name)
        value = next((each for each in self.domains() if each.name == domain), None)
        if value is None:
            raise Absent(f"{domain} is not served")
        if domain not in self._commanded:
            raise NotAllowed(f"{domain} stands in the configuration file; remove it there")
        async with self.database.writing() as connection:
            accounts, aliases = await rows.in_domain(connection, domain)
            if accounts or aliases:
                raise NotAllowed(
                    f"{domain} has {accounts} accounts and {aliases} aliases; delete them first"
                )
            await rows.remove_domain(connection, domain)
        self._set_commanded(self._commanded - {domain})
        self._names_changed()
        return value

    def _set_commanded(self, commanded: set[str]) -> None:
        self._commanded = commanded
        self._resolver.sites = sites_of(self._settings, commanded)

    @abstractmethod
    def _names_changed(self) -> None: ...
