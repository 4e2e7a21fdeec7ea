FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 \
    QUORUM_DATA_DIR=/data QUORUM_STATIC_ROOT=/static QUORUM_LOG_FORMAT=json

WORKDIR /app
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

COPY manage.py ./
COPY fusion_site fusion_site
COPY panels panels
COPY evaluation evaluation
COPY templates templates
COPY static static

# The secret of the build serves collectstatic alone and stays out of the image.
RUN useradd --system --uid 10001 quorum \
 && mkdir -p /data /static \
 && SECRET_KEY=only-for-collecting-static-files-at-build QUORUM_DATA_DIR=/tmp/build \
    python manage.py collectstatic --noinput --verbosity 0 \
 && rm -rf /tmp/build \
 && chown quorum /data

USER quorum
VOLUME /data
EXPOSE 8000
CMD ["uvicorn", "fusion_site.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--no-access-log"]
