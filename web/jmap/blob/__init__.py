"""Octets by blobId: up, down, between accounts, and in method calls (RFC 8620 §6, RFC 9404)."""
