"""Tables of config.db for address books and the cards in them (storage/address_books.py,
storage/cards.py).

`modseq` is the account's of the change made last, `born` that of the first. Uids, hrefs and words
compare by their bytes in every database.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from storage.config_base import Id, metadata

Octets = String().with_variant(String(collation="C"), "postgresql")


def _account(**more: Any) -> Column[Any]:
    return Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), **more)


# `slug` is the last part of the book's URL; `standard` is the account's default book; `changed` is
# the modseq of what was changed last in the book or of it; `cards` and `octets` count what it
# holds; `properties` is JSON of what clients set by PROPPATCH.
address_book = Table(
    "config_address_book",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    _account(nullable=False),
    Column("slug", Octets, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("colour", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("standard", Boolean, nullable=False),
    Column("subscribed", Boolean, nullable=False),
    Column("properties", Text, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("cards", Integer, nullable=False),
    Column("octets", BigInteger, nullable=False),
    UniqueConstraint("account", "slug", name="config_address_book_slug"),
    sqlite_autoincrement=True,
)

# `jscontact` is JSON; `raw` the vCard as it was put last, or made of the JSContact, of `version`.
card = Table(
    "config_card",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    _account(nullable=False),
    Column("book", ForeignKey("config_address_book.id", ondelete="CASCADE"), nullable=False),
    Column("href", Octets, nullable=False),
    Column("uid", Octets, nullable=False),
    Column("uid_key", Octets, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("jscontact", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("version", String, nullable=False),
    Column("etag", String, nullable=False),
    Column("octets", Integer, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    UniqueConstraint("book", "href", name="config_card_href"),
    Index("config_card_uid", "account", "uid_key"),
    Index("config_card_modseq", "account", "modseq"),
    Index("config_card_book_modseq", "book", "modseq"),
    Index("config_card_kind", "account", "kind"),
    sqlite_autoincrement=True,
)

# The addresses of a card in order; `key` is for look-ups.
card_email = Table(
    "config_card_email",
    metadata,
    Column("card", ForeignKey("config_card.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("account", BigInteger, nullable=False),
    Column("key", Octets, nullable=False),
    Column("address", String, nullable=False),
    Index("config_card_email_key", "account", "key"),
)

# By what beginnings a card is completed.
card_word = Table(
    "config_card_word",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("word", Octets, primary_key=True),
    Column("card", ForeignKey("config_card.id", ondelete="CASCADE"), primary_key=True),
    Index("config_card_word_card", "card", "word"),
)

# Members of groups: `card` is the group's, `uid_key` the member's, who need not be there.
card_member = Table(
    "config_card_member",
    metadata,
    Column("card", ForeignKey("config_card.id", ondelete="CASCADE"), primary_key=True),
    Column("uid_key", Octets, primary_key=True),
    Column("account", BigInteger, nullable=False),
    Index("config_card_member_uid", "account", "uid_key"),
)

# What was there: of a card that left a book (`href`), and of a book itself (`card` NULL). They are
# kept for ever, so that no client's state is ever too old.
card_gone = Table(
    "config_card_gone",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    _account(nullable=False),
    Column("book", BigInteger, nullable=False),
    Column("card", BigInteger),
    Column("href", Octets, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Index("config_card_gone_modseq", "account", "modseq"),
    Index("config_card_gone_book", "book", "modseq"),
    sqlite_autoincrement=True,
)

# What a change replaced or removed, with the modseq and the time of that change.
card_history = Table(
    "config_card_history",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    _account(nullable=False),
    Column("card", BigInteger, nullable=False),
    Column("book", BigInteger, nullable=False),
    Column("href", Octets, nullable=False),
    Column("jscontact", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("version", String, nullable=False),
    Column("octets", Integer, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("replaced", Float, nullable=False),
    Index("config_card_history_card", "account", "card"),
    Index("config_card_history_replaced", "account", "replaced"),
    sqlite_autoincrement=True,
)

# Whom a book is shared with: `account` sees it, with the rights in storage/book_shares.py;
# `subscribed`: and wants to.
address_book_share = Table(
    "config_address_book_share",
    metadata,
    Column("book", ForeignKey("config_address_book.id", ondelete="CASCADE"), primary_key=True),
    _account(primary_key=True),
    Column("rights", String, nullable=False),
    Column("subscribed", Boolean, nullable=False, server_default=false()),
    Index("config_address_book_share_account", "account"),
)


def create_book_shares(connection: Connection) -> None:
    """For storage/config_migrations.py."""
    address_book_share.create(connection, checkfirst=True)


# What accounts are told of shares (storage/share_notices.py): rights of `account` in the book, or
# the mailbox, with the number `book` of `owner` were `old`, and are `new`, by `giver`.
share_notice = Table(
    "config_share_notice",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    _account(nullable=False),
    Column("created", Float, nullable=False),
    Column("owner", BigInteger, nullable=False),
    Column("giver", BigInteger, nullable=False),
    Column("book", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("old", String, nullable=False),
    Column("new", String, nullable=False),
    Column("kind", String, nullable=False, server_default="AddressBook"),
    Index("config_share_notice_account", "account", "id"),
    sqlite_autoincrement=True,
)


def create_share_notices(connection: Connection) -> None:
    """For storage/config_migrations.py."""
    share_notice.create(connection, checkfirst=True)


CONTACT_TABLES = (
    address_book,
    card,
    card_email,
    card_word,
    card_member,
    card_gone,
    card_history,
    address_book_share,
    share_notice,
)
