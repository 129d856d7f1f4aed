"""Lineage from Hex to OpenMetadata, as a Dagster code location."""

__version__ = "0.1.0"
