"""ManageSieve (RFC 5804): scripts of the user by name, for mail programs."""
