"""One module for each group of IMAP commands."""
