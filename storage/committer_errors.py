"""What an error of the database means for the committer: fatal, a lost connection, or one job's."""

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError

from storage.errors import StoreError, StoreFull, StoreUnavailable

_IO_ERROR, _FULL, _READ_ONLY, _CORRUPT, _NOT_A_DATABASE, _BUSY = 10, 13, 8, 11, 26, 5
_PG_FULL = "53100"


class WriterFenced(Exception):
    """The epoch is another's: this process must not write any more."""


def sqlite_code(error: BaseException) -> int:
    """The primary SQLite result code, 0 for other errors."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return 0


def is_fatal(error: BaseException) -> bool:
    """Whether nothing may be written any more: I/O errors, a corrupt index, a lost lease."""
    if isinstance(error, WriterFenced):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.EIO
    return sqlite_code(error) in (_IO_ERROR, _CORRUPT, _NOT_A_DATABASE)


def is_connection_lost(error: BaseException) -> bool:
    """PostgreSQL went away; whether a COMMIT under way succeeded is open."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, (ConnectionError, TimeoutError))


def is_full(error: BaseException) -> bool:
    """No space for the database."""
    if sqlite_code(error) == _FULL:
        return True
    orig = error.orig if isinstance(error, DBAPIError) else None
    return getattr(orig, "sqlstate", None) == _PG_FULL


def seen_by_client(error: BaseException) -> BaseException:
    """The StoreError for a client; errors of the program stay what they are."""
    made: BaseException
    if isinstance(error, StoreError):
        return error
    if is_full(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        made = StoreFull("no space left on the server's disk")
    elif isinstance(error, (DBAPIError, OSError, sqlite3.Error)):
        made = StoreUnavailable("the mail store is not available at the moment")
    else:
        return error
    made.__cause__ = error
    return made
