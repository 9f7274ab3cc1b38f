"""Tables of data/history.db for what is learned about spam (storage/spam_models.py).

`owner` is an account, or 0 for the site. All of it is learnt again when it is lost.
"""

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
    false,
)

metadata = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, nullable=False, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


# `voter` is the first owner that taught the row, 0 the administrator; `several`: another one, or
# the administrator, did too (rows of the site count for others from then on). `day` is when it was
# last taught, in days since 1970.
feature = Table(
    "history_spam_feature",
    metadata,
    _key("owner"),
    _key("feature"),
    _number("spam"),
    _number("ham"),
    Column("voter", BigInteger, nullable=False),
    Column("several", Boolean, nullable=False, server_default=false()),
    _number("day"),
    sqlite_with_rowid=False,
)

# Messages learned. `site_spam` and `site_ham`: how many of an account's count site-wide.
total = Table(
    "history_spam_total",
    metadata,
    _key("owner"),
    _number("spam"),
    _number("ham"),
    _number("site_spam"),
    _number("site_ham"),
    sqlite_with_rowid=False,
)

# What is remembered of messages: storage/spam_values.py Known; `site`: it counts site-wide;
# `features` is array('I').tobytes(), little-endian, of what was learned.
message = Table(
    "history_spam_message",
    metadata,
    _key("owner"),
    Column("key", LargeBinary, primary_key=True, nullable=False),
    Column("in_junk", Boolean, nullable=False, server_default=false()),
    Column("mark", SmallInteger, nullable=False, server_default="0"),
    Column("learned", SmallInteger, nullable=False, server_default="0"),
    Column("site", Boolean, nullable=False, server_default=false()),
    Column("features", LargeBinary, nullable=False),
    Column("at", Double, nullable=False),
    Index("history_spam_message_at", "owner", "at"),
)

# How far the journal of an account's mail was followed.
followed = Table(
    "history_spam_followed",
    metadata,
    _key("account"),
    Column("modseq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# storage/reputation.py: `about` is About, `key` a hash; `good` and `bad` as they counted at `at`.
reputation = Table(
    "history_reputation",
    metadata,
    Column("about", SmallInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("key", LargeBinary, primary_key=True, nullable=False),
    Column("good", Double, nullable=False),
    Column("bad", Double, nullable=False),
    Column("at", Double, nullable=False),
    Index("history_reputation_at", "about", "at"),
    sqlite_with_rowid=False,
)

TABLES = (feature, total, message, followed)
