"""Endpoints and pages below /oauth/, and what is found below /.well-known/ of them."""
