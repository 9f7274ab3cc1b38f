"""Which status an error of the store has."""

from typing import Final

from auth.service import Fault, Problem
from filters.drive.service import Infected, NotPermitted, NotYet
from filters.mailing.email_service import NoSuchEmail
from filters.mailing.email_service import NotPermitted as MailNotPermitted
from net.threads import Busy
from storage.blob_values import BlobTooLarge
from storage.contact_values import (
    BookNotEmpty,
    Conflict,
    ContactExists,
    NoSuchContact,
    TooManyContacts,
)
from storage.directory_values import Absent, AlreadyExists, DirectoryError
from storage.drive_values import DriveFull, NoSuchItem, NoSuchLink
from storage.errors import (
    MailboxExists,
    MailboxForbidden,
    MailboxHasChildren,
    MailboxHasMessages,
    MessageMissing,
    NoSuchAccount,
    NoSuchMailbox,
    OverQuota,
    StoreError,
    StoreFull,
    StoreUnavailable,
    TooMany,
)
from storage.preferences import NoSuchTag, TooManyTags
from storage.quarantine import NotInQuarantine
from storage.script_values import (
    NoSuchScript,
    ScriptActive,
    ScriptChanged,
    ScriptExists,
    TooManyScripts,
)
from web.rest.errors import RestError

_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (NoSuchEmail, 404),
    (NoSuchContact, 404),
    (ContactExists, 409),
    (TooManyContacts, 409),
    (BookNotEmpty, 409),
    (Conflict, 412),
    (MailNotPermitted, 403),
    (NoSuchItem, 404),
    (NoSuchLink, 404),
    (NotPermitted, 403),
    (BlobTooLarge, 413),
    (DriveFull, 507),
    (Infected, 451),
    (NotYet, 503),
    (Absent, 404),
    (NoSuchAccount, 404),
    (NoSuchMailbox, 404),
    (NoSuchTag, 404),
    (NoSuchScript, 404),
    (NotInQuarantine, 404),
    (MessageMissing, 404),
    (AlreadyExists, 409),
    (MailboxExists, 409),
    (MailboxHasChildren, 409),
    (MailboxHasMessages, 409),
    (TooManyTags, 409),
    (ScriptExists, 409),
    (ScriptChanged, 409),
    (ScriptActive, 409),
    (TooManyScripts, 409),
    (MailboxForbidden, 422),
    (TooMany, 422),
    (OverQuota, 507),
    (StoreFull, 507),
    (StoreUnavailable, 503),
    (DirectoryError, 422),
)


def status_of(error: BaseException | None) -> int | None:
    """None where it is no error of the store."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 422 if isinstance(error, StoreError) else None


def refused(error: StoreError) -> Exception:
    """What a request is refused with for it."""
    status = status_of(error) or 422
    if isinstance(error, NotYet):
        return RestError(status, str(error), wait=5)
    if status == 503:
        return error
    return RestError(status, str(error))


def busy(_error: Busy) -> Problem:
    """Too much waits already."""
    return Problem(Fault.BUSY, wait=10)
