"""A server for two wire formats, whose models have planted skill, errors, latency, price and faults."""
