"""Fuzzing: bytes that nobody sent yet, at every place where bytes come in (docs/robustness.md).

Only the targets import p2pchat: the modules that are fuzzed are instrumented as they are loaded.
"""
