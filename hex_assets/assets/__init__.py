"""The assets: window in, frame out, metadata on."""
