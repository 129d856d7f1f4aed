"""Statements that no tree holds: scripts, procedures, objects, SQL in strings."""
