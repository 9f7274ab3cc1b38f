"""Builds CardDAV."""

from mailserver.services import Services
from web.answering import Answering
from web.dav.api import DavApi
from web.dav.granted import Granted
from web.logins import Logins


def build_dav(services: Services, logins: Logins, answering: Answering) -> DavApi:
    """Its routes; `logins` are those that other protocols over HTTP remember too."""
    directory = services.directory
    return DavApi(
        logins,
        directory.contacts,
        directory.account_by_id,
        Granted(services.auth.agents),
        answering,
        services.offload,
    )
