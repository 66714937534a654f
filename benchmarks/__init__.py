"""What a node can do, each figure beside a baseline measured in the same run.

Run as `python -m benchmarks`; docs/performance.md tells what each figure means.
"""
