"""Where the tables live: Parquet in a folder or behind any fsspec URL."""
