"""Message disposition notifications: MDN/send and MDN/parse (RFC 9007)."""
