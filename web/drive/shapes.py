"""The shapes of the drive in REST: bodies, parameters and answers."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from config.clock import rfc3339
from storage.drive_values import Item, Link, Read
from web.rest.models import LINE, Give, Paging, Query, Take, Time

FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Folder = Annotated[str, StringConstraints(max_length=1000, pattern=LINE)]
ItemName = Annotated[
    str, StringConstraints(pattern=r"^(D[0-9a-f]{24}|B[0-9a-f]{1,16}-[0-9_]{1,200})$")
]
LinkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
MAX_SECONDS: Final = 100 * 366 * 86400.0


class Items(Paging):
    """Files and attachments, or one of them; of one folder, files alone."""

    kind: Literal["", "file", "attachment"] = ""
    folder: Folder | None = None


class Upload(Query):
    """What the file is called, and where it goes."""

    name: FileName
    folder: Folder = ""


class DriveItem(Give):
    """`type` is what the octets are; `state` what the virus scanner said; `content` their SHA-256,
    "" for an attachment that nobody has opened; `path` is where the octets are.
    """

    id: str
    kind: Literal["file", "attachment"]
    name: str
    folder: str
    size: int
    type: str
    content: str
    state: Literal["pending", "clean", "infected", "error", "unscanned"]
    created: Time
    changed: Time
    path: str


class DriveItemPatch(Take):
    """What is given changes."""

    name: FileName | None = None
    folder: Folder | None = None


class KeepBody(Take):
    """Where the copy goes."""

    folder: Folder = ""


class DriveUse(Give):
    """Octets of the files, and how many they may have, null for any number. Folders are those that
    have files.
    """

    used: int
    limit: int | None
    largest: int
    folders: list[str]


class Links(Paging):
    """Of one file or attachment, else of all."""

    item: ItemName | None = None


class LinkBody(Take):
    """`seconds` from now, 0 for as long as is usual; `downloads` 0 for any number. With `audience`
    "users" it is for who logs in here, which a password rules out.
    """

    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 0.0
    disposition: Literal["attachment", "inline"] = "attachment"
    audience: Literal["anyone", "users"] = "anyone"
    password: Annotated[str, StringConstraints(max_length=1024)] = ""
    downloads: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    note: Annotated[str, StringConstraints(max_length=1000, pattern=LINE)] = ""


class DriveLink(Give):
    """`url` is "" when the key that signed it is gone; `used` counts downloads of links that are
    good for so many.
    """

    id: str
    item: str
    name: str
    url: str
    disposition: str
    audience: str
    password: bool
    downloads: int
    used: int
    note: str
    created: Time
    expires: Time
    revoked: Time | None


class DriveRead(Give):
    """A request by a link, and the status that answered it."""

    at: Time
    address: str
    agent: str
    status: int


class DriveReads(Give):
    """The newest first."""

    items: list[DriveRead]


def item_of(one: Item, prefix: str) -> Mapping[str, Any]:
    """As DriveItem."""
    return {
        "id": one.id,
        "kind": "attachment" if one.is_part else "file",
        "name": one.name,
        "folder": one.folder,
        "size": one.size,
        "type": one.type,
        "content": one.content[1:],
        "state": one.state.value,
        "created": rfc3339(one.created),
        "changed": rfc3339(one.changed),
        "path": f"{prefix}/drive/items/{one.id}/content",
    }


def link_of(one: Link, url: str) -> Mapping[str, Any]:
    """As DriveLink."""
    terms = one.terms
    return {
        "id": one.id,
        "item": one.item,
        "name": one.name,
        "url": url,
        "disposition": terms.disposition.value,
        "audience": terms.audience.value,
        "password": terms.password is not None,
        "downloads": terms.most,
        "used": one.downloads,
        "note": terms.note,
        "created": rfc3339(one.created),
        "expires": rfc3339(terms.expires),
        "revoked": None if one.revoked is None else rfc3339(one.revoked),
    }


def read_of(one: Read) -> Mapping[str, Any]:
    """As DriveRead."""
    return {
        "at": rfc3339(one.at),
        "address": one.address,
        "agent": one.agent,
        "status": one.status,
    }
