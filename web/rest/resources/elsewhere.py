"""Sending and profiles, as the OpenAPI document tells them; they are served by web/send_email.py
and web/profile.py, bare too where the design names them so.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from web.rest.endpoint import Access, Endpoint
from web.rest.models import Give, Take

SENDING: Final = "emails"
PROFILE: Final = "profile"
Addresses = str | Annotated[list[str], Field(max_length=10_000)] | None


class AttachmentBody(Take):
    """A file of the drive, or octets that were uploaded."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    drive_id: str | None = None
    blob_id: str | None = None
    name: str | None = None
    type: str | None = None
    cid: str | None = None


class LetterBody(Take):
    """Addresses are written as header fields have them. `send_at` is RFC 3339. Files may come with
    it in a multipart/form-data, whose part `message` is this.
    """

    to: Addresses = None
    cc: Addresses = None
    bcc: Addresses = None
    from_: Annotated[Addresses, Field(alias="from")] = None
    reply_to: Addresses = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    attachments: Annotated[list[AttachmentBody], Field(max_length=100)] | None = None
    in_reply_to: str | list[str] | None = None
    references: str | list[str] | None = None
    send_at: str | None = None


class Sent(Give):
    """`id` of the submission, `email_id` of the copy in Sent."""

    id: str
    message_id: str
    email_id: str


class NewProfileBody(Take):
    """`photo_url` is a link of the account's own drive."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    display_name: Annotated[str, Field(min_length=1)]
    photo_url: str | None = None


class ProfileBody(Take):
    """The name that a user is shown by."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    display_name: Annotated[str, Field(min_length=1)]


class ProfileShape(Give):
    """`photo_url` changes with the photo."""

    address: str
    display_name: str
    photo_url: str | None


def elsewhere_endpoints() -> Sequence[Endpoint]:
    """Without handlers."""
    refused = (408, 409, 413, 415, 422)
    return [
        Endpoint(
            *("POST", "/sendEmail", SENDING, "sendEmail", "Send a letter", None, Access.MAIL),
            LetterBody,
            gives=Sent,
            status=202,
            refused=refused,
        ),
        Endpoint(
            *("POST", "/createProfile", PROFILE, "createProfile", "A name and a photo", None),
            *(Access.OWN, NewProfileBody),
            status=201,
            also=(200,),
            gives=ProfileShape,
            refused=refused,
        ),
        Endpoint(
            *("GET", "/profile", PROFILE, "getProfile", "The profile", None),
            gives=ProfileShape,
            refused=refused,
        ),
        Endpoint(
            *("PATCH", "/profile", PROFILE, "changeProfile", "Another name", None),
            *(Access.OWN, ProfileBody),
            gives=ProfileShape,
            refused=refused,
        ),
        Endpoint(
            *("GET", "/profile/photo", PROFILE, "getPhoto", "The photo", None),
            ready=True,
            media="image/*",
        ),
        Endpoint(
            *("PUT", "/profile/photo", PROFILE, "putPhoto", "Another photo", None),
            brings="application/octet-stream",
            gives=ProfileShape,
            refused=refused,
        ),
        Endpoint(
            *("DELETE", "/profile/photo", PROFILE, "deletePhoto", "No photo", None),
            refused=refused,
        ),
    ]
