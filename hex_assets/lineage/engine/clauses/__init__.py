"""Clauses that warehouses take and sqlglot's grammar lacks, by dialect."""
