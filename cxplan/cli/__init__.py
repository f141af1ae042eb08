"""The command line: options in, one use case, one view, one exit code out."""
