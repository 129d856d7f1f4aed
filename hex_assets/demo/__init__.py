"""The local stand-ins and the sample workspace; nothing outside this folder knows of it."""
