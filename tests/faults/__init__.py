"""Faults of the machine: kills, full disks, failing disks; on the real command."""
