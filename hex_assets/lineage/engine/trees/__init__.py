"""Reads sqlglot's trees: which tables and columns each kind of node reads and writes."""
