"""Conversations: their tables, and the index of messages by thread."""

from sqlalchemy import Connection

from storage.schema import conversation, message, threaded


def apply(conn: Connection) -> None:
    conversation.create(conn, checkfirst=True)
    threaded.create(conn, checkfirst=True)
    for index in message.indexes:
        index.create(conn, checkfirst=True)
