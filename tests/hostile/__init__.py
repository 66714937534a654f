"""A real node under attack, and for an hour of churn: what an honest peer notices of it.

`python -m tests.hostile` and `python -m tests.hostile.soak` run them; docs/robustness.md tells what
they found.
"""
