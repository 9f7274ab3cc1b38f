"""JMAP (RFC 8620): the API request, its methods, and the objects they work on."""
