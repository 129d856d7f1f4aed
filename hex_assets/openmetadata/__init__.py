"""OpenMetadata: the client, the plan and its application."""
