"""Worlds of real nodes, plans of what befalls them, derived from seeds, and what must hold."""
