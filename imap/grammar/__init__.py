"""Pure IMAP grammar: bytes to values and values to bytes, without I/O."""
