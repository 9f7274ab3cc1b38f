"""Table of config.db for what requests of REST were answered with (storage/answers.py)."""

from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from storage.config_base import metadata

# One request that may come again: `key` is the SHA-256 of its Idempotency-Key, `asked` of what it
# asks. `status` is NULL while it is worked on; `fields` is a JSON object of the answer's header.
answer = Table(
    "config_answer",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("asked", LargeBinary, nullable=False),
    Column("begun", Float, nullable=False),
    Column("status", Integer),
    Column("fields", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("config_answer_begun", "account", "begun"),
)


def create_answers(connection: Connection) -> None:
    """A step of the schema's."""
    answer.create(connection, checkfirst=True)
