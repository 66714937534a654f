"""Figures as ratios: each benchmark measures a named baseline in the same run."""
