# What Thunderbird, iOS and DAVx5 are known to send, written down; none of them runs here.
"""Bodies of requests, as the address books of Thunderbird (CardDAVUtils, CardDAVDirectory), of iOS
and macOS, and DAVx5 write them.
"""

PRINCIPAL = (
    '<propfind xmlns="DAV:" xmlns:card="urn:ietf:params:xml:ns:carddav" '
    'xmlns:cs="http://calendarserver.org/ns/"><prop><resourcetype/><displayname/>'
    "<current-user-principal/><current-user-privilege-set/></prop></propfind>"
)
HOME = (
    '<propfind xmlns="DAV:" xmlns:card="urn:ietf:params:xml:ns:carddav">'
    "<prop><card:addressbook-home-set/></prop></propfind>"
)
ETAGS = '<propfind xmlns="DAV:"><prop><resourcetype/><getetag/></prop></propfind>'
TOKEN = (
    '<propfind xmlns="DAV:" xmlns:cs="http://calendarserver.org/ns/">'
    "<prop><displayname/><cs:getctag/><sync-token/></prop></propfind>"
)


def multiget(hrefs: list[str]) -> str:
    """Every card in one request."""
    listed = "".join(f"<href>{href}</href>" for href in hrefs)
    return (
        '<card:addressbook-multiget xmlns="DAV:" xmlns:card="urn:ietf:params:xml:ns:carddav">'
        f"<prop><getetag/><card:address-data/></prop>{listed}</card:addressbook-multiget>"
    )


def sync(token: str) -> str:
    return (
        '<sync-collection xmlns="DAV:" xmlns:card="urn:ietf:params:xml:ns:carddav">'
        f"<sync-token>{token}</sync-token><sync-level>1</sync-level>"
        "<prop><getetag/><card:address-data/></prop></sync-collection>"
    )


APPLE_PRINCIPAL = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<A:propfind xmlns:A="DAV:"><A:prop>'
    "<A:current-user-principal/><A:principal-URL/><A:resourcetype/></A:prop></A:propfind>"
)
APPLE_HOME = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<A:propfind xmlns:A="DAV:"><A:prop>'
    '<B:addressbook-home-set xmlns:B="urn:ietf:params:xml:ns:carddav"/>'
    '<B:directory-gateway xmlns:B="urn:ietf:params:xml:ns:carddav"/><A:displayname/>'
    '<C:email-address-set xmlns:C="http://calendarserver.org/ns/"/>'
    "<A:principal-collection-set/><A:principal-URL/><A:resource-id/><A:supported-report-set/>"
    "</A:prop></A:propfind>"
)
APPLE_BOOKS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<A:propfind xmlns:A="DAV:"><A:prop>'
    '<A:add-member/><D:bulk-requests xmlns:D="http://me.com/_namespace/"/>'
    "<A:current-user-privilege-set/><A:displayname/>"
    '<B:max-image-size xmlns:B="urn:ietf:params:xml:ns:carddav"/>'
    '<B:max-resource-size xmlns:B="urn:ietf:params:xml:ns:carddav"/>'
    '<C:me-card xmlns:C="http://calendarserver.org/ns/"/><A:owner/>'
    '<C:push-transports xmlns:C="http://calendarserver.org/ns/"/>'
    '<C:pushkey xmlns:C="http://calendarserver.org/ns/"/><A:quota-available-bytes/>'
    "<A:quota-used-bytes/><A:resource-id/><A:resourcetype/><A:supported-report-set/>"
    "<A:sync-token/></A:prop></A:propfind>"
)
APPLE_CTAG = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<A:propfind xmlns:A="DAV:"><A:prop>'
    '<C:getctag xmlns:C="http://calendarserver.org/ns/"/><A:sync-token/></A:prop></A:propfind>'
)


def apple_sync(token: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<A:sync-collection xmlns:A="DAV:">'
        f"<A:sync-token>{token}</A:sync-token><A:sync-level>1</A:sync-level>"
        "<A:prop><A:getetag/></A:prop></A:sync-collection>"
    )


def apple_multiget(hrefs: list[str]) -> str:
    listed = "".join(f'<A:href xmlns:A="DAV:">{href}</A:href>' for href in hrefs)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<B:addressbook-multiget xmlns:B="urn:ietf:params:xml:ns:carddav">'
        '<A:prop xmlns:A="DAV:"><A:getetag/><B:address-data/></A:prop>'
        f"{listed}</B:addressbook-multiget>"
    )


DAVX5_PRINCIPAL = (
    '<propfind xmlns="DAV:" xmlns:CARD="urn:ietf:params:xml:ns:carddav"><prop>'
    "<resourcetype/><displayname/><CARD:addressbook-description/><CARD:addressbook-home-set/>"
    "<current-user-principal/></prop></propfind>"
)
DAVX5_BOOKS = (
    '<propfind xmlns="DAV:" xmlns:CARD="urn:ietf:params:xml:ns:carddav" '
    'xmlns:CS="http://calendarserver.org/ns/"><prop><resourcetype/><displayname/><owner/>'
    "<current-user-privilege-set/><CARD:addressbook-description/><CARD:supported-address-data/>"
    "<supported-report-set/><CARD:max-resource-size/><CS:getctag/><sync-token/></prop></propfind>"
)


def davx5_sync(token: str) -> str:
    return (
        '<sync-collection xmlns="DAV:">'
        f"<sync-token>{token}</sync-token><sync-level>1</sync-level>"
        "<prop><getetag/></prop></sync-collection>"
    )


def davx5_multiget(hrefs: list[str]) -> str:
    listed = "".join(f"<href>{href}</href>" for href in hrefs)
    return (
        '<CARD:addressbook-multiget xmlns="DAV:" xmlns:CARD="urn:ietf:params:xml:ns:carddav">'
        "<prop><getcontenttype/><getetag/>"
        '<CARD:address-data content-type="text/vcard" version="4.0"/></prop>'
        f"{listed}</CARD:addressbook-multiget>"
    )
