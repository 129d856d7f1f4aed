"""Real database engines as judges of the lineage engine: seeded queries, and what each one says."""
