"""Evidence: journal, keys, envelopes, bundles, and the ledger that holds them.

A run's folder is made before its first write and sealed after its last one. ``ledger`` joins the
parts for ``apply``; ``verify`` and ``review`` believe nothing that lies in a folder.
"""
