"""What the administration shows of evaluation: people, and records to be looked at."""

from evaluation.admin import people, records, reviews, rollups

__all__ = ["people", "records", "reviews", "rollups"]
