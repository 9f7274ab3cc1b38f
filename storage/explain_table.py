"""Tables of data/history.db for what happened to messages (storage/explain.py) and for those in
quarantine (storage/quarantine.py), whose files have all of it.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    column,
)

metadata = MetaData()

# Oldest first by id; `at` is Unix seconds, `kind` explain_values.Kind, `data` what `pack` makes.
# `trace` is the id that log lines about the message carry, `ident` that of a refusal's reply. Names
# that a row lacks cost no index entry. A Message-ID is found by `hour`, which is `at` in hours, and
# `named`, its hash: what is written together changes few pages of that index, however large it is.
explain = Table(
    "history_explain",
    metadata,
    Column("id", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("hour", Integer, nullable=False),
    Column("trace", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("ident", Text, nullable=False, server_default=""),
    Column("message_id", Text, nullable=False, server_default=""),
    Column("named", BigInteger),
    Column("queue", BigInteger),
    Column("account", BigInteger),
    Column("blob", BigInteger),
    Column("data", LargeBinary, nullable=False),
    Index("history_explain_trace", "trace"),
    Index(
        "history_explain_ident",
        "ident",
        sqlite_where=column("ident") != "",
        postgresql_where=column("ident") != "",
    ),
    Index(
        "history_explain_message_id",
        "hour",
        "named",
        sqlite_where=column("named").is_not(None),
        postgresql_where=column("named").is_not(None),
    ),
    Index(
        "history_explain_queue",
        "queue",
        sqlite_where=column("queue").is_not(None),
        postgresql_where=column("queue").is_not(None),
    ),
    Index(
        "history_explain_copy",
        "account",
        "blob",
        sqlite_where=column("account").is_not(None),
        postgresql_where=column("account").is_not(None),
    ),
)

# `data` is what a file begins with, `done` a JSON list of positions.
quarantined = Table(
    "history_quarantined",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("at", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("done", Text, nullable=False),
)
