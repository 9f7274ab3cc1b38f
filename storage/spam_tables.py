"""Tables of data/history.db for what is learned about spam (storage/spam_lessons.py)
and for reputation (storage/reputation.py).

`owner` is an account, or 0 for the administrator and the site. All of it is learnt again when it is
lost.
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
)

metadata = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, nullable=False, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


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
# `features` of what was learned: array('I').tobytes(), little-endian, deflated; the steps are what
# it added to each of them (filters/spam/model.py). `at` is when it was last written.
message = Table(
    "history_spam_message",
    metadata,
    _key("owner"),
    Column("key", LargeBinary, primary_key=True, nullable=False),
    Column("in_junk", Boolean, nullable=False),
    Column("mark", SmallInteger, nullable=False),
    Column("learned", SmallInteger, nullable=False),
    Column("site", Boolean, nullable=False),
    _number("site_step"),
    _number("own_step"),
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

# The sums of what an owner's lessons added (filters/spam/weights.py), while they are that: a lesson
# deletes the row, and who needs it makes it anew of the lessons. `version` is that of the places.
weights = Table(
    "history_spam_weights",
    metadata,
    _key("owner"),
    _number("version"),
    Column("data", LargeBinary, nullable=False),
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

LEARNED = (total, message, followed, weights)
