"""The relying party: users of an outside identity provider (OpenID Connect)."""
