"""Edge: snapshots of a tenant in files, written whole, verified, and read agent by agent."""
