"""Who reads which table: one model of the stored lineage, as a page and for the command line."""

from hex_assets.report.write import Summary, write_report

__all__ = ["Summary", "write_report"]
