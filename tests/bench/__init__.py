"""Benchmarks: `make bench`, or `python -m tests.bench [NAME …] [--quick]`.

Every figure is a ratio of two sides that were measured in one run, by turns, on the same machine and Postgres. What
must be true whatever the speed (no double booking, an audit event for each booking, answers that show what was
committed) is checked as well, and a breach makes the run fail; speed never does.
"""
