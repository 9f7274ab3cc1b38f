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
    Extension("body", 5173, "test `body` with `:raw`, `:content`, `:text`"),
    Extension("comparator-i;ascii-casemap", 4790, "comparator, always there"),
    Extension("comparator-i;ascii-numeric", 4790, "comparator of numbers"),
    Extension("comparator-i;octet", 4790, "comparator, always there"),
    Extension("comparator-i;unicode-casemap", 5051, "comparator of letters of all scripts"),
    Extension("copy", 3894, "`:copy` of `fileinto` and `redirect`"),
    Extension("date", 5260, "tests `date`, `currentdate`"),
    Extension("duplicate", 7352, "test `duplicate`"),
    Extension("editheader", 5293, "actions `addheader`, `deleteheader`"),
    Extension("enclose", 5703, "action `enclose`"),
    Extension("encoded-character", 5228, "`${hex:...}` and `${unicode:...}` in strings"),
    Extension("enotify", 5435, "action `notify` (mailto), its tests, `:encodeurl`"),
    Extension("envelope", 5228, "test `envelope`: `from`, `to`, `auth`"),
    Extension("environment", 5183, "test `environment`"),
    Extension("ereject", 5429, "action `ereject`"),
    Extension("extlists", 6134, "match type `:list`, `redirect :list`, test `valid_ext_list`"),
    Extension("extracttext", 5703, "action `extracttext`"),
    Extension("fcc", 8580, "`:fcc` of `vacation` and `notify`"),
    Extension("fileinto", 5228, "action `fileinto`"),
    Extension("foreverypart", 5703, "loop `foreverypart`, `break`"),
    Extension("ihave", 5463, "test `ihave`, action `error`"),
    Extension("imap4flags", 5232, "flag actions, test `hasflag`, `:flags`"),
    Extension("imapsieve", 6785, "environment items `imap.*`"),
    Extension("include", 6609, "`include`, `return`, `global`"),
    Extension("index", 5260, "`:index`, `:last` of header tests"),
    Extension("mailbox", 5490, "test `mailboxexists`, `:create`"),
    Extension("mailboxid", 9042, "test `mailboxidexists`, `:mailboxid`"),
    Extension("mboxmetadata", 5490, "tests `metadata`, `metadataexists`"),
    Extension("mime", 5703, "`:mime`, `:anychild` and parts of Content-* fields"),
    Extension("regex", 0, "match type `:regex`, `:quoteregex` (draft-ietf-sieve-regex)"),
    Extension("reject", 5429, "action `reject`"),
    Extension("relational", 5231, "match types `:value`, `:count`"),
    Extension("replace", 5703, "action `replace`"),
    Extension("servermetadata", 5490, "tests `servermetadata`, `servermetadataexists`"),
    Extension("spamtest", 5235, "test `spamtest`, 0 to 10"),
    Extension("spamtestplus", 5235, "`spamtest :percent`"),
    Extension("special-use", 8579, "test `specialuse_exists`, `:specialuse`"),
    Extension("subaddress", 5233, "address parts `:user`, `:detail`"),
    Extension("vacation", 5230, "action `vacation`"),
    Extension("vacation-seconds", 6131, "`vacation :seconds`"),
    Extension("variables", 5229, "`set`, `string`, `${name}`"),
    Extension("virustest", 5235, "test `virustest`, 0 to 5"),
)
EXTENSIONS: Final = tuple(extension.name for extension in TABLE)
KNOWN: Final = frozenset(EXTENSIONS)
# What brings another with it when it is required.
IMPLIED: Final = {"spamtestplus": ("spamtest",), "vacation-seconds": ("vacation",)}
NOTIFY_METHODS: Final = ("mailto",)
