"""The Session object: what a client may ask, and where (RFC 8620 §2)."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from storage.object_ids import account_number
from web.jmap.blob.making import BLOB
from web.jmap.blob.management import account_capability
from web.jmap.contacts.accounts import CONTACTS
from web.jmap.contacts.address_book import CAPABILITY
from web.jmap.context import Context
from web.jmap.limits import MAX_ATTACHED, Limits
from web.jmap.mail.email_conditions import SORTS
from web.jmap.mail.mailbox import MAIL
from web.jmap.mail.mailbox_rights import SHARE
from web.jmap.mdn.objects import MDN
from web.jmap.methods import CORE
from web.jmap.principal_ids import principal_id
from web.jmap.principals import OWNER, PRINCIPALS
from web.jmap.quota import QUOTA
from web.jmap.submission.identity import SUBMISSION
from web.jmap.submission.sieve_script import ABILITIES, SIEVE
from web.jmap.submission.vacation_response import VACATION

PREFIX: Final = "/jmap"
WEBSOCKET: Final = "urn:ietf:params:jmap:websocket"
"""RFC 8887 §3."""
VAPID: Final = "urn:ietf:params:jmap:webpush-vapid"
"""RFC 9749 §3."""
MAX_NAME: Final = 255
EXTENSIONS: Final = {
    name: list[str]()
    for name in ("8BITMIME", "DELIVERBY", "DSN", "FUTURERELEASE", "MT-PRIORITY", "REQUIRETLS")
} | {"SMTPUTF8": list[str]()}
"""Of SMTP, that a submission may use (RFC 8621 §1.3.2)."""
_OWN: Final = (MAIL, SHARE, SUBMISSION, VACATION, SIEVE, BLOB, QUOTA, MDN)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server has for everybody at present. A message may wait for the time that its sender
    set for `delayed_send` seconds; `push_key` as in Requests.
    """

    limits: Limits
    delayed_send: int
    push_key: str = ""


def session_object(context: Context, offer: Offer, origin: str) -> dict[str, Any]:
    """`origin` is scheme and authority by which the client came."""
    login, limits = context.login, offer.limits
    account_id = account_number(login.account)
    mail: dict[str, Any] = {
        "maxMailboxesPerEmail": None,
        "maxMailboxDepth": None,
        "maxSizeMailboxName": MAX_NAME,
        "maxSizeAttachmentsPerEmail": MAX_ATTACHED,
        "emailQuerySortOptions": SORTS,
        "mayCreateTopLevelMailbox": login.grant.writes and not login.grant.folders,
    }
    submission = {"maxDelayedSend": offer.delayed_send, "submissionExtensions": EXTENSIONS}
    contacts: dict[str, Any] = {}
    if not login.grant.folders:
        contacts = {
            CONTACTS: CAPABILITY,
            PRINCIPALS: {"currentUserPrincipalId": principal_id(login.address)},
            OWNER: _owner(account_id, login.address),
        }
    blob = account_capability(limits)
    shared = {MAIL: {**mail, "mayCreateTopLevelMailbox": False}, BLOB: blob, SHARE: {}}
    found: dict[str, Any] = {
        "capabilities": {
            CORE: limits.capability,
            MAIL: {},
            SUBMISSION: {},
            VACATION: {},
            SIEVE: {"implementation": "mailserver"},
            BLOB: {},
            QUOTA: {},
            MDN: {},
            CONTACTS: {},
            PRINCIPALS: {},
            SHARE: {},
        },
        "accounts": {
            account_id: {
                "name": login.address,
                "isPersonal": True,
                "isReadOnly": login.grant.read_only,
                "accountCapabilities": {
                    MAIL: mail,
                    SHARE: {},
                    SUBMISSION: submission,
                    VACATION: {},
                    SIEVE: ABILITIES,
                    BLOB: blob,
                    QUOTA: {},
                    MDN: {},
                    **contacts,
                },
            },
            **_shared(context, account_id, shared),
        },
        "primaryAccounts": dict.fromkeys(
            (*_OWN, *(contacts.keys() - {OWNER})),
            account_id,
        ),
        "username": login.address,
        "apiUrl": f"{origin}{PREFIX}/api",
        "downloadUrl": f"{origin}{PREFIX}/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
        "uploadUrl": f"{origin}{PREFIX}/upload/{{accountId}}/",
        "eventSourceUrl": f"{origin}{PREFIX}/events"
        "?types={types}&closeafter={closeafter}&ping={ping}",
    }
    if offer.push_key:
        found["capabilities"][VAPID] = {"applicationServerKey": offer.push_key}
    state = _state(found)
    found["capabilities"][WEBSOCKET] = {
        "url": f"{origin.replace('http', 'ws', 1)}{PREFIX}/ws",
        "supportsPush": True,
    }
    return found | {"state": state}


def _shared(context: Context, account_id: str, mail: dict[str, Any]) -> dict[str, Any]:
    """Accounts of others, of whose address books or mailboxes the user sees some (RFC 9670 §1.5);
    `mail` are capabilities of those that have mailboxes.
    """
    books = {one.owner: one.address for one in context.shared}
    boxes = {one.owner: one.address for one in context.mail}
    found: dict[str, Any] = {}
    for owner, address in sorted((books | boxes).items()):
        can: dict[str, Any] = {}
        if owner in books:
            can[CONTACTS] = {**CAPABILITY, "mayCreateAddressBook": False}
        if owner in boxes:
            can |= mail
        if not context.login.grant.folders:
            can[OWNER] = _owner(account_id, address)
        found[account_number(owner)] = {
            "name": address,
            "isPersonal": False,
            "isReadOnly": not context.writes_in(owner),
            "accountCapabilities": can,
        }
    return found


def _owner(account_id: str, address: str) -> dict[str, str]:
    return {"accountIdForPrincipal": account_id, "principalId": principal_id(address)}


def session_state(context: Context, offer: Offer) -> str:
    """What `sessionState` says: it differs once anything in the object does."""
    state: str = session_object(context, offer, "")["state"]
    return state


def _state(found: dict[str, Any]) -> str:
    told = {name: value for name, value in found.items() if not name.endswith("Url")}
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
