"""JMAP for Contacts (RFC 9610): AddressBook and ContactCard."""
