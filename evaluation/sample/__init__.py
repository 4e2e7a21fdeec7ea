"""The sample pilot: three workflows of invented companies, with written examples and simulated models."""
