"""Numbered steps of the index's schema, one module each; they only add."""
