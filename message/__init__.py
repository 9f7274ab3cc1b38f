"""RFC 5322 and MIME: pure, bytes in and values out."""
