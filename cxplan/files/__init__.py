"""Edge: regular files only, read without following a link, written whole or not at all."""
