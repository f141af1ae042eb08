"""The tenant API on loopback, with bodies of its own; shares no code with the client."""
