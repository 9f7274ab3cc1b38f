"""JMAP for Mail (RFC 8621): Mailbox, Thread and Email."""
