"""Pages that the server writes itself, without JavaScript: sign-up, login, consent."""
