"""Reads one SQL text: tokens, statements, trees, relations, columns. `sql.extract` is its door."""
