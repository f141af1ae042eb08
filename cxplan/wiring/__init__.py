"""Where the parts are joined, and the only place where the clock is read."""
