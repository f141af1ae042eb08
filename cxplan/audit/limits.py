"""How much of a journal is read, whoever wrote it."""

RECORDS_LIMIT = 256 * 1024 * 1024
"""Bytes of a journal at most."""

LINE_LIMIT = 2 * 1024 * 1024
"""Bytes of one line at most, without its newline."""
