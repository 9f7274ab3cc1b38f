"""SCRAM keys of accounts, and such as look like them for names that nobody has.

Invariant: whether there is an account, and whether it has keys, is told by no salt and no time: the
salt of a name follows from a secret of the server and stays the same for ever.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from auth.sasl.keys import HASHES, ITERATIONS, SALT_OCTETS, KeyOffer, Keys, derive, pack, unpack
from storage.server_secrets import ServerSecrets

_SECRET: Final = "scram"  # noqa: S105 - its name
ALWAYS: Final = ("SCRAM-SHA-256",)


class ScramKeys:
    """`mechanisms` are those for which passwords get keys."""

    def __init__(self, secrets: ServerSecrets) -> None:
        self._secrets = secrets
        self.mechanisms: tuple[str, ...] = ALWAYS

    def complete(self, scram: str) -> bool:
        """Whether an account's keys serve all mechanisms."""
        return all(unpack(scram, mechanism) is not None for mechanism in self.mechanisms)

    async def salts(self, name: str) -> dict[str, bytes]:
        """By mechanism, for an address in its form for look-ups. Raises StoreError."""
        return {mechanism: await self._salt(name, mechanism) for mechanism in self.mechanisms}

    async def offer(self, name: str, scram: Iterable[str], mechanism: str) -> KeyOffer:
        """What a client of that name is told: the keys of all of its passwords, of which one must
        be proved; keys that nobody has when `scram` holds none.
        """
        salt = await self._salt(name, mechanism)
        found = [unpack(text, mechanism) for text in scram]
        # all have this salt: it goes out before it is known which password the client has
        keys = [
            one.keys[0]
            for one in found
            if one is not None and (one.salt, one.iterations) == (salt, ITERATIONS)
        ]
        nobodys = await self._octets("nobody", name, mechanism)
        return KeyOffer(salt, ITERATIONS, tuple(keys) or (Keys(nobodys, nobodys),))

    async def _salt(self, name: str, mechanism: str) -> bytes:
        return (await self._octets("salt", name, mechanism))[:SALT_OCTETS]

    async def _octets(self, *what: str) -> bytes:
        key = await self._secrets.get(_SECRET)
        text = "\0".join(what).encode("utf-8", "surrogatepass")
        return hmac.digest(key, text, HASHES[what[-1]])


def derived(password: str, salts: Mapping[str, bytes]) -> str:
    """The keys of a password as they are kept with an account: slow, for Pool.HASH."""
    return pack(
        (mechanism, KeyOffer(salt, ITERATIONS, (derive(password, mechanism, salt),)))
        for mechanism, salt in salts.items()
    )
