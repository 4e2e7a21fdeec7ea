# A shared task belongs to the application that exists when it is called, so every process has to make this one.
from fusion_site.celery import app as celery_app

__all__ = ["celery_app"]
