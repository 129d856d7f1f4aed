"""Retries of steps that talk to the network."""

import dagster as dg

NETWORK_RETRIES = dg.RetryPolicy(
    max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""Over the clients' own retries: an outage of some minutes. 30, 60, 120 s."""
