"""Edge: a plan to its file and back."""
