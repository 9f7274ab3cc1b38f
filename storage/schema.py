"""The tables of the index: SQLAlchemy Core, the same on SQLite (data/index.db) and PostgreSQL.

Everything here can be rebuilt from message files and queue files, or is learnt again; what cannot
stands in the config database. The committer is the only writer. Every key leads with the account.

`folder` and `place` say what exists on disk, `mailbox` and `message` what IMAP shows: SQL leads,
the mirror follows. A message's file is `<maildir>/<folder.path>/<place.path>`, with `folder` found
by the place's own mailbox (it may differ from the message's while a MOVE or a DELETE is not yet
mirrored). `folder.path` is "" for INBOX and `.Sent` else; `place.path` is `new/NAME` or `cur/NAME`.
"""

from enum import IntEnum, StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    column,
    false,
    text,
    true,
)

KEYWORD_SHIFT = 8
"""A view's flag field: system flags in the low 8 bits, the number of the keyword set above."""

metadata = MetaData()


class ChangeKind(IntEnum):
    """What a journal row says. COPY is APPEND in the target, MOVE is EXPUNGE and APPEND."""

    APPEND = 1
    EXPUNGE = 2
    FLAGS = 3
    CREATE = 4
    RENAME = 5
    DELETE = 6
    SUBSCRIBE = 7
    SPECIAL_USE = 8


class Origin(StrEnum):
    """Who brought the messages of an APPEND row; it stands in the row's `name`."""

    CLIENT = ""
    DELIVERY = "delivery"
    IMPORT = "import"
    RESCAN = "rescan"


CHANGED = f"kind IN ({int(ChangeKind.EXPUNGE)}, {int(ChangeKind.FLAGS)})"
"""The rows of the journal's index: written out, or SQLite would not take it."""

LEASED = "lease_until IS NOT NULL"
"""The rows of the queue's index of leases."""


def _id(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, primary_key=True, autoincrement=False)


def _big(name: str, default: str | None = "0") -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=default)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _time(name: str, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable)


schema_version = Table("schema_version", metadata, _id("version"), sqlite_with_rowid=False)

# One row, id 1. `epoch` fences a committer that lost its lease; `sequence` numbers the groups and
# answers whether one whose COMMIT lost its connection was committed; `last_blob` is the last blob
# or queue id given; `clean` is false while a server runs, so that a start after a kill knows it.
writer_state = Table(
    "writer_state",
    metadata,
    _id("id"),
    _big("epoch"),
    _big("sequence"),
    _big("last_blob"),
    Column("committed_at", Double, nullable=False, server_default="0"),
    Column("clean", Boolean, nullable=False, server_default=true()),
    sqlite_with_rowid=False,
)

# `modseq` numbers all mail changes of the account; `last_mailbox` and `uidvalidity` are the last
# ones given; `floor` is the lowest modseq that the journal can answer from.
account = Table(
    "mail_account",
    metadata,
    _id("id"),
    _big("modseq"),
    _big("floor"),
    _big("last_mailbox"),
    _big("uidvalidity"),
    _big("used_bytes"),
    _big("used_messages"),
    _big("limit_bytes"),
    _big("limit_messages"),
    sqlite_with_rowid=False,
)

# `uid_ceiling` is the lease that stands in the folder's own file; no UID above it is given.
mailbox = Table(
    "mailbox",
    metadata,
    _id("account"),
    _id("id"),
    Column("name", Text, nullable=False),
    _big("uidvalidity"),
    _big("uidnext", "1"),
    _big("uid_ceiling"),
    _big("highestmodseq"),
    _big("messages"),
    _big("unseen"),
    _big("deleted"),
    _big("size"),
    _text("special_use"),
    Column("subscribed", Boolean, nullable=False, server_default=true()),
    Column("selectable", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("account", "name", name="mailbox_name"),
    sqlite_with_rowid=False,
)

# Subscriptions to names that are no mailbox.
subscription = Table(
    "subscription",
    metadata,
    _id("account"),
    Column("name", Text, primary_key=True, nullable=False),
    sqlite_with_rowid=False,
)

# Interned sets: `words` are keywords joined by spaces, sorted; number 0 is the empty set, no row.
keyword_set = Table(
    "keyword_set",
    metadata,
    _id("account"),
    _id("number"),
    Column("words", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Rows at or above their mailbox's uidnext belong to an unfinished COPY or MULTIAPPEND: invisible.
message = Table(
    "message",
    metadata,
    _id("account"),
    _id("mailbox"),
    _id("uid"),
    _big("modseq", None),
    Column("flags", SmallInteger, nullable=False, server_default="0"),
    Column("keywords", Integer, nullable=False, server_default="0"),
    _time("internaldate"),
    _time("savedate", nullable=True),
    _big("size", None),
    _big("blob", None),
    Column("thread", BigInteger),
    Index("message_blob", "account", "blob"),
    Index(
        "message_thread",
        "account",
        "thread",
        sqlite_where=column("thread").is_not(None),
        postgresql_where=column("thread").is_not(None),
    ),
    sqlite_with_rowid=False,
)

# `size` and `header_length` count the CRLF form, `stored` is the file's own length: they differ
# when the file holds bare LF. `digest` is Content.digest, without the trace header.
# With a row id: a wide row of an index spills to a page of its own (docs/decisions/0011).
blob = Table(
    "blob",
    metadata,
    _id("account"),
    _id("id"),
    _big("size", None),
    _big("stored", None),
    _big("header_length", None),
    Column("version", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("meta", LargeBinary, nullable=False),
    Column("parts", LargeBinary, nullable=False),
)

# Folders on disk by mailbox id; a row outlives its mailbox until the mirror removed the folder.
# The path differs from maildir_names.folder_path(name) until the mirror renamed it.
folder = Table(
    "folder",
    metadata,
    _id("account"),
    _id("mailbox"),
    Column("path", Text, nullable=False),
    UniqueConstraint("account", "path", name="folder_path"),
    sqlite_with_rowid=False,
)

# Names on disk. Made by the committer for the names that it linked, changed only by the mirror.
place = Table(
    "place",
    metadata,
    _id("account"),
    _id("blob"),
    _id("mailbox"),
    _id("uid"),
    Column("path", Text, nullable=False),
    Index("place_message", "account", "mailbox", "uid"),
    sqlite_with_rowid=False,
)

# `uids` is array('I').tobytes(), little-endian; `name` is the mailbox's name, `old` its former one;
# in APPEND `name` is who brought the messages (Origin), and `old` the keywords that were delivered
# with them, or the number of the mailbox that they were copied from. In EXPUNGE `ids` are blob and
# thread (0 for none) of each of the `uids`, array('q'), so that JMAP can tell what is gone.
# The index holds what a reconnect asks for, EXPUNGE and FLAGS: no delivery pays for it.
journal = Table(
    "journal",
    metadata,
    _id("account"),
    _id("modseq"),
    Column("part", SmallInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    _big("mailbox", None),
    Column("uids", LargeBinary, nullable=False),
    _text("name"),
    _text("old"),
    _time("at"),
    Column("ids", LargeBinary),
    Index(
        "journal_changed",
        "account",
        "mailbox",
        "modseq",
        sqlite_where=text(CHANGED),
        postgresql_where=text(CHANGED),
    ),
    sqlite_with_rowid=False,
)

# How far the mirror has followed the journal of an account.
mirror = Table("mirror", metadata, _id("account"), _big("modseq"), sqlite_with_rowid=False)

# Which conversation (`message.thread`) a Message-ID belongs to, both as numbers, and the last blob
# of an account that was looked at (storage/threads.py). Rebuilt from blobs when rows are missing.
conversation = Table(
    "conversation",
    metadata,
    _id("account"),
    _id("reference"),
    _big("thread", None),
    sqlite_with_rowid=False,
)

threaded = Table("threaded", metadata, _id("account"), _big("blob"), sqlite_with_rowid=False)

# Deliveries whose 250 may not have reached the sender; a resend with equal content is this one.
suspect = Table(
    "suspect",
    metadata,
    _id("account"),
    Column("digest", LargeBinary, primary_key=True, nullable=False),
    _id("mailbox"),
    _id("uid"),
    _time("expires"),
    sqlite_with_rowid=False,
)

# The outbound queue (storage/queue.py). `path` is relative to data/queue. A recipient's `state` is
# queue_values.State; `held` of the message is for display, what counts is its recipients' state.
# `hold_until` (RFC 4865) and `deliver_by` (RFC 2852, mode R or N) are Unix seconds; `priority` is
# -9 to 9 (RFC 6710).
# `lane` is whose mail it is and how urgent (queue_values.lane_name): lanes take turns.
queue_message = Table(
    "queue_message",
    metadata,
    _id("id"),
    Column("account", BigInteger),
    Column("sender", Text, nullable=False),
    _text("trace"),
    _text("envid"),
    _text("ret"),
    Column("smtputf8", Boolean, nullable=False, server_default=false()),
    Column("eightbit", Boolean, nullable=False, server_default=false()),
    Column("held", Boolean, nullable=False, server_default=false()),
    _big("size", None),
    _time("queued_at"),
    Column("path", Text, nullable=False),
    Column("require_tls", Boolean, nullable=False, server_default=false()),
    _time("hold_until", nullable=True),
    _time("deliver_by", nullable=True),
    _text("deliver_by_mode"),
    Column("deliver_by_trace", Boolean, nullable=False, server_default=false()),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

queue_recipient = Table(
    "queue_recipient",
    metadata,
    _id("queue"),
    Column("position", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("address", Text, nullable=False),
    Column("domain", Text, nullable=False),
    _text("notify"),
    _text("orcpt"),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt", Double, nullable=False, server_default="0"),
    Column("lease_until", Double),
    _text("lease_owner"),
    _text("last_reply"),
    Column("delay_notice", Boolean, nullable=False, server_default=false()),
    Column("lane", Text, nullable=False, server_default="09:"),
    _text("hold"),
    Index("queue_recipient_when", "state", "next_attempt", "domain", "lane"),
    Index("queue_recipient_lane", "domain", "state", "lane", "next_attempt"),
    Index(
        "queue_recipient_leased",
        "queue",
        sqlite_where=text(LEASED),
        postgresql_where=text(LEASED),
    ),
    sqlite_with_rowid=False,
)

# What users sent by HTTP (storage/submissions.py): `id` is that of the queue, which knows it until
# it is sent. `email` and `thread` are 0 where they were not known; `envelope` is JSON of who sent
# it, `recipients` JSON of what became of each, in the order of the queue; `undo` is
# submission_values.Undo. `changed` orders the changes of an account, `made` is the first of a row;
# `key` is unique in the account.
submission = Table(
    "submission",
    metadata,
    _id("account"),
    _id("id"),
    _text("identity"),
    _big("email"),
    _big("thread"),
    _text("envelope"),
    _text("recipients"),
    _time("created"),
    _time("send_at"),
    Column("undo", SmallInteger, nullable=False, server_default="0"),
    _big("made"),
    _big("changed"),
    Column("destroyed", Boolean, nullable=False, server_default=false()),
    Column("key", Text),
    Index("submission_id", "id"),
    Index("submission_changed", "account", "changed"),
    UniqueConstraint("account", "key", name="submission_key"),
    sqlite_with_rowid=False,
)

# What is known of other mail domains, learnt again when it is lost (storage/transport.py). `mx` is
# a JSON list of patterns; `record` the id of the TXT record that the policy came with.
sts_policy = Table(
    "sts_policy",
    metadata,
    Column("domain", Text, primary_key=True, nullable=False),
    Column("record", Text, nullable=False),
    Column("mode", Text, nullable=False),
    _big("max_age", None),
    Column("mx", Text, nullable=False),
    _time("fetched_at"),
    sqlite_with_rowid=False,
)

# The best TLS that a domain's hosts were reached with (storage/transport_values.py TlsLevel).
tls_level = Table(
    "tls_level",
    metadata,
    Column("domain", Text, primary_key=True, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("host", Text, nullable=False),
    _time("seen_at"),
    sqlite_with_rowid=False,
)
