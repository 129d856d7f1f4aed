"""A strict local OpenMetadata: what its REST API does to a publisher, and nothing else."""
