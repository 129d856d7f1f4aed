"""Hex's API: the client and what it returns."""
