"""Edge: YAML files to declarations."""
