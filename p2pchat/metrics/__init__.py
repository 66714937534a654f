"""Figures for Prometheus: gathered from what others count anyway, and served over HTTP."""
