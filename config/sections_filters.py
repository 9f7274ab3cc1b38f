"""Sections of mailserver.toml about what is decided of a message: [filters], and by filter."""

import re
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.dnsbl import parse_codes
from config.fields import Domain, Net, Section, Some, network
from config.symbols import SYMBOLS
from config.units import Duration, Size

DEFAULT_PIPELINE = (
    *("ratelimit", "blocklist", "spf", "dkim", "dmarc", "arc"),
    *("virus", "spam", "tagging"),
)

FILTER_NAMES = (*DEFAULT_PIPELINE, "greylist", "milter", "own")

# Filters that a policy may leave out: those with a name, and the questions about strangers.
SKIPPABLE = (*FILTER_NAMES, "stranger")


def _filter_name(value: str) -> str:
    if value not in FILTER_NAMES:
        raise ValueError(f"one of {', '.join(FILTER_NAMES)}")
    return value


def _in_order(names: list[str]) -> list[str]:
    """DMARC judges by what the other two found; without them it would refuse everybody."""
    before = names[: names.index("dmarc")] if "dmarc" in names else ["spf", "dkim"]
    if not {"spf", "dkim"} <= set(before):
        raise ValueError('"spf" and "dkim" in front of "dmarc"')
    return names


Pipeline = Annotated[list[Annotated[str, AfterValidator(_filter_name)]], AfterValidator(_in_order)]


class Filters(Section):
    pipeline: Pipeline = list(DEFAULT_PIPELINE)
    local_networks: list[Net] = [network("127.0.0.0/8"), network("::1/128")]
    own: str = ""
    own_timeout: Annotated[Duration, Field(gt=0, le=30)] = 1.0
    own_memory: Annotated[Size, Field(ge=128 * 1024**2)] = 256 * 1024**2
    own_processes: Annotated[int, Field(ge=1, le=64)] = 2


class TaggingRule(Section):
    header: Annotated[str, Field(min_length=1, pattern=r"^[!-9;-~]+$")]
    contains: Annotated[str, Field(min_length=1)]
    tag: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r'^[^\\(){}%*"\]\x00-\x20\x7f-\xff]+$')
    ]


class Tagging(Section):
    rule: list[TaggingRule] = []


class Blocklist(Section):
    networks: list[Net] = []


class Spf(Section):
    reject: bool = False


class Greylisting(Section):
    delay: Duration = 300.0
    window: Duration = 172800.0
    keep: Duration = 3110400.0


class Dmarc(Section):
    enforce: bool = True
    trusted_arc: list[Domain] = []


def _codes(value: str) -> str:
    parse_codes(value)
    return value


class DnsList(Section):
    zone: Domain
    kind: Literal["address", "domain", "uri"] = "address"
    codes: list[Annotated[str, AfterValidator(_codes)]] = []
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9_]{0,64}$")] = ""
    weight: float = 0.0
    action: Literal["mark", "quarantine", "defer", "reject"] = "mark"
    test: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9.-]*$")] = ""


# In the class the name `list` would be the key's.
_DnsLists = list[DnsList]


class Dnsbl(Section):
    list: _DnsLists = []


class Explain(Section):
    keep: Duration = 30 * 86400.0
    size: Size = 1024**3


class Quarantine(Section):
    keep: Duration = 30 * 86400.0
    size: Size = 1024**3
    users: bool = False


def _clamds(value: object) -> list[object]:
    """One address, several, or "" for none."""
    return [one for one in (value if isinstance(value, list) else [value]) if one != ""]


Clamd = Annotated[str, Field(pattern=r"^(unix:/.+|tcp:.+:\d{1,5})$")]


class Virus(Section):
    clamd: Annotated[list[Clamd], BeforeValidator(_clamds), Field(max_length=16)] = []
    on_error: Literal["defer", "accept"] = "defer"
    action: Literal["reject", "quarantine"] = "reject"
    mark: list[Annotated[str, Field(min_length=1, max_length=128)]] = []
    timeout: Annotated[Duration, Field(gt=0, le=600)] = 60.0
    connections: Annotated[int, Field(ge=1, le=256)] = 8


# What a file may be called in [attachments] beside a pattern of its name: families and kinds.
ATTACHMENT_FAMILIES = (
    *("executable", "script", "macro", "office", "archive", "image"),
    *("encrypted", "nested", "unread", "bomb"),
)
_KINDS = (
    "7z ace ai ani apk ar arj avi avif bat bmp bz2 cab chm class cpio deb dex doc docm docx elf emf"
    " epub exe flac gif gz heic hta html ico ics iso jar jpg js lha lnk lz4 lzma macho mdb mkv mp3"
    " mp4 msg msi odf ogg ole one ooxml pdf pem pgp png ppt pptm pptx ps ps1 psd pst rar reg rpm"
    " rtf script sqlite svg swf tar tiff tnef url vbs vcf vhd vhdx wasm wav webp wmf woff wsf xar"
    " xls xlsm xlsx xml xz z zip zst"
)
ATTACHMENT_KINDS = tuple(_KINDS.split())


def _attachment(value: str) -> str:
    word = value.lower()
    if "." in word or "*" in word or word in ATTACHMENT_FAMILIES or word in ATTACHMENT_KINDS:
        return word
    families, kinds = ", ".join(ATTACHMENT_FAMILIES), ", ".join(ATTACHMENT_KINDS)
    raise ValueError(f'{families}; a kind: {kinds}; or a pattern such as "*.scr"')


AttachmentWords = list[
    Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_attachment)]
]


class Attachments(Section):
    reject: AttachmentWords = ["bomb"]
    quarantine: AttachmentWords = []
    mark: AttachmentWords = ["executable", "script", "macro", "encrypted"]
    depth: Annotated[int, Field(ge=1, le=20)] = 4
    members: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    size: Size = 1024**3
    ratio: Annotated[int, Field(ge=10, le=2000)] = 200


def _symbol(value: str) -> str:
    if value not in SYMBOLS:
        near = get_close_matches(value.upper(), SYMBOLS, 1)
        raise ValueError(f"a symbol of docs/spam.md{f', perhaps {near[0]}' if near else ''}")
    return value


Score = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
Threshold = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


_SERVICE = re.compile(r"unix:/.+|http://(\[[0-9A-Fa-f:.]+\]|[^:/\[\]@\s]+):\d{1,5}/?")


def _rspamd_url(value: str) -> str:
    if value and not _SERVICE.fullmatch(value):
        raise ValueError('"http://127.0.0.1:11333" or "unix:/path"')
    return value


class Rspamd(Section):
    url: Annotated[str, AfterValidator(_rspamd_url)] = ""
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 5.0
    use: Literal["symbols", "score", "record"] = "symbols"
    weight: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 1.0
    follow: bool = False


class Spam(Section):
    tag_at: Threshold = 5.0
    reject_at: Threshold = 15.0
    greylist_at: Threshold = 0.0
    quarantine_at: Threshold = 0.0
    users_reject_at: Threshold = 20.0
    header: bool = True
    weights: dict[Annotated[str, AfterValidator(_symbol)], Score] = {}
    learn: bool = True
    learn_clear: bool = False
    rescan_every: Annotated[Duration, Field(ge=0, le=30 * 86400.0)] = 3600.0
    rescan_reach: Annotated[Duration, Field(gt=0, le=30 * 86400.0)] = 3 * 86400.0
    rescan_messages: Annotated[int, Field(ge=1, le=100_000)] = 1000
    rspamd: Rspamd = Rspamd()


class Milter(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    address: Annotated[str, Field(pattern=r"^(unix:/.+|tcp:.+:\d+)$")]
    listeners: Some[Literal["smtp", "submission", "lmtp"]] = ["smtp"]
    on_error: Literal["accept", "defer"] = "accept"
    connect_timeout: Annotated[Duration, Field(gt=0, le=60)] = 5.0
    command_timeout: Annotated[Duration, Field(gt=0, le=300)] = 30.0
    content_timeout: Annotated[Duration, Field(gt=0, le=600)] = 120.0
