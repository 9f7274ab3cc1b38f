"""Every extension that `require` may name: the one table behind the SIEVE capability, the page
docs/sieve.md and the tests.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Extension:
    """`rfc` is 0 where a draft is meant; `brings`: the commands, tests and tags."""

    name: str
    rfc: int
    brings: str


TABLE: Final = (
    Extension("comparator-i;ascii-casemap", 4790, "comparator, always there"),
    Extension("comparator-i;ascii-numeric", 4790, "comparator of numbers"),
    Extension("comparator-i;octet", 4790, "comparator, always there"),
    Extension("comparator-i;unicode-casemap", 5051, "comparator of letters of all scripts"),
    Extension("copy", 3894, "`:copy` of `fileinto` and `redirect`"),
    Extension("encoded-character", 5228, "`${hex:...}` and `${unicode:...}` in strings"),
    Extension("envelope", 5228, "test `envelope`: `from`, `to`, `auth`"),
    Extension("ereject", 5429, "action `ereject`"),
    Extension("fileinto", 5228, "action `fileinto`"),
    Extension("imap4flags", 5232, "flag actions, test `hasflag`, `:flags`"),
    Extension("index", 5260, "`:index`, `:last` of header tests"),
    Extension("regex", 0, "match type `:regex`, `:quoteregex` (draft-ietf-sieve-regex)"),
    Extension("reject", 5429, "action `reject`"),
    Extension("relational", 5231, "match types `:value`, `:count`"),
    Extension("subaddress", 5233, "address parts `:user`, `:detail`"),
    Extension("variables", 5229, "`set`, `string`, `${name}`"),
)
EXTENSIONS: Final = tuple(extension.name for extension in TABLE)
KNOWN: Final = frozenset(EXTENSIONS)
# What brings another with it when it is required.
IMPLIED: Final = {"spamtestplus": ("spamtest",), "vacation-seconds": ("vacation",)}
NOTIFY_METHODS: Final = ("mailto",)
