"""The verdict: which loss is best, which is fastest, which tie. Statistics only, from a sweep's record.

from sweeps.verdict.compose import compute_verdict
compute_verdict(load_results("results/demo-001"))     # the content of verdict.json
"""
