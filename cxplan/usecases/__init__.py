"""The verbs, against ports only; they do not call one another."""
