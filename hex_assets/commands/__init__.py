"""The commands of `hex-assets`, a module each, imported when it is called."""
