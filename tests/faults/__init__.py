"""Nodes that are killed at random moments: nothing that was promised may be lost or doubled."""
