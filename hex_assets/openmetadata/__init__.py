"""The catalog: OpenMetadata's REST API, what should be there, and the way to it."""
