"""WebDAV and CardDAV: address books over HTTP."""
