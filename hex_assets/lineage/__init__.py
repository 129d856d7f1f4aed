"""Lineage from SQL that Hex sent. Pure: no Dagster, no network."""
