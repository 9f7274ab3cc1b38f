"""Signatures of our own: DKIM keys of the domains served, and what is signed with them."""
