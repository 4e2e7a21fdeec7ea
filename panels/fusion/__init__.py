"""The fusion engine: prompts in, one fused answer out. Pure: no Django, no Celery; I/O in ``clients`` alone."""
