"""Where the listeners are reached from outside: what mail programs are told, and DNS says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.fields import Endpoint
from config.settings import Settings

LISTENERS: Final = ("imaps", "imap", "submissions", "submission", "managesieve", "https")


@dataclass(frozen=True, slots=True)
class Reach:
    """A host, and ports by the names of listeners; one that is switched off has none."""

    host: str
    ports: Mapping[str, int]

    @property
    def origin(self) -> str:
        """Of the web service, "" where there is none."""
        port = self.ports.get("https")
        if port is None:
            return ""
        return f"https://{self.host}" + ("" if port == 443 else f":{port}")


def reach_of(settings: Settings, bound: Mapping[str, Sequence[Endpoint]] | None = None) -> Reach:
    """`bound` are the addresses that listeners really have; without, those configured."""
    ours = settings.discovery
    ports: dict[str, int] = {}
    for name in LISTENERS:
        at = getattr(settings.listen, name)
        if bound is not None:
            at = bound.get(name, ())
        if at:
            ports[name] = getattr(ours, name) or at[0].port
    return Reach(ours.host or settings.hostname, ports)
