"""IMAP: grammar, connection, session and commands."""
