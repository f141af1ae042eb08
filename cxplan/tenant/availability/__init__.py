"""The tenant API profile availability-v2."""
