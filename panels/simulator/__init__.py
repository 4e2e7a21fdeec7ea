"""An OpenAI-compatible server whose models have planted skill, errors, latency, price and faults."""
