"""Edge: a CXone tenant over HTTP."""
