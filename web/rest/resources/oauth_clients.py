"""Clients of OAuth, as administrators see and set them."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from web.rest.endpoint import Access, Endpoint
from web.rest.models import Give, Name, Page, Paging, Take, Text, Time
from web.rest.operations import Operations

SERVER: Final = "server"
Redirect = Annotated[str, Field(max_length=2000)]


class Client(Give):
    """A client of OAuth."""

    id: str
    name: str
    confidential: bool
    redirects: list[str]
    scopes: list[str]
    introspects: bool
    registered: bool
    origin: str
    created: Time | None


class ClientBody(Take):
    """A new one."""

    name: Name
    redirects: Annotated[
        tuple[Annotated[str, Field(max_length=2000)], ...], Field(max_length=20)
    ] = ()
    scopes: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    confidential: bool = False
    introspects: bool = False


class NewClient(Client):
    """With its secret, this once; null for a public one."""

    secret: str | None


def client_endpoints(do: Operations) -> Sequence[Endpoint]:
    return [
        Endpoint(
            *("GET", "/admin/oauth-clients", SERVER, "listClients", "Clients of OAuth"),
            do.by("oauth.client.list"),
            *(Access.OWN, None, Paging, Page[Client]),
            order=lambda row: (row["id"],),
        ),
        Endpoint(
            *("POST", "/admin/oauth-clients", SERVER, "addClient", "Make a client of OAuth"),
            do.by("oauth.client.add"),
            *(Access.SESSION, ClientBody),
            gives=NewClient,
            status=201,
            secret=True,
        ),
        Endpoint(
            *("DELETE", "/admin/oauth-clients/{id}", SERVER, "deleteClient", "Delete a client"),
            do.by("oauth.client.delete"),
            Access.SESSION,
            params={"id": Annotated[str, Field(max_length=200)]},
        ),
    ]
