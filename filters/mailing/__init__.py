"""Mail that users send and handle by HTTP: JMAP, REST and the plain verbs."""
