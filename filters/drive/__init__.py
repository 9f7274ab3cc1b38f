"""The drive: files and attachments of accounts, and signed links to them."""
