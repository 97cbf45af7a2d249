"""LAKE -> RAW: load a batch exactly once."""
