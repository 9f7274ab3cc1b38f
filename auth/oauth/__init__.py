"""The issuer of OAuth tokens; what HTTP has of it is in web/oauth."""
