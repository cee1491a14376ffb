"""Use cases: one function, one transaction, row and event together."""
