"""Reads mail of other programs: Maildir, Dovecot's files beside it, mbox; and loads it."""
