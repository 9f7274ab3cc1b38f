"""Remote images of mail, fetched by the server in the reader's place."""
