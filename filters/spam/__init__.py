"""Is this message wanted? Reading, features, model, rules and reputation."""
