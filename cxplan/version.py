"""The version, as a constant: reading package metadata would double the time of ``--help``."""

__version__ = "0.1.0"
