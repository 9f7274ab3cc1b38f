"""The word index: which messages may hold a string, and the text that settles it."""
