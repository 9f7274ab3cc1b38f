"""SMTP and LMTP: receiving, submission and sending."""
