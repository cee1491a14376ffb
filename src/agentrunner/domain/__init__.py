"""Plain data and pure rules: what a run is, which changes are possible, what the wire carries."""
