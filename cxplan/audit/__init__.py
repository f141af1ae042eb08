"""Edge: evidence on disk: journal, keys, envelopes, bundles, ledger."""
