# The image of the service; docs/image.md describes its arguments, stages and how it is run.
# Every stage is free of anything that only one processor architecture has.
# checkov:skip=CKV_DOCKER_7:the tag stands in the argument
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm


# What serving needs, as a virtual environment.
FROM ${BASE_IMAGE} AS requirements
WORKDIR /build
COPY requirements.txt ./
# pip stays outside: nothing in the environment can install. The tests of the libraries are of no use to the service.
RUN python -m venv --without-pip /opt/finbert/venv \
    && python -m pip --python /opt/finbert/venv/bin/python install --no-cache-dir --only-binary :all: \
        -r requirements.txt \
    && find /opt/finbert/venv -type d -name tests -prune -exec rm -r {} +


# The model artifact. It is the same for every architecture, so it is made on the one that builds. An image that carries
# one already, such as the last release, can take this stage's place: `--build-context model=docker-image://...`.
FROM --platform=${BUILDPLATFORM} ${BASE_IMAGE} AS model
# A model on the Hugging Face hub, or `bundled` for the small one in the repository, which needs no PyTorch.
ARG MODEL=ProsusAI/finbert
# The index that pytorch.org names for "CPU"; without it pip may bring gigabytes of CUDA packages.
ARG TORCH_INDEX_URL=
WORKDIR /build
COPY pyproject.toml requirements.txt requirements-dev.txt ./
RUN [ "${MODEL}" = bundled ] || { \
        python -c 'import tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print("\n".join(extras["modelling"]))' > modelling.txt \
        && python -m venv venv \
        && venv/bin/pip install --no-cache-dir ${TORCH_INDEX_URL:+--extra-index-url "${TORCH_INDEX_URL}"} \
            -c requirements-dev.txt -r requirements.txt -r modelling.txt; \
    }
COPY finbert_api ./finbert_api
RUN mkdir -p /opt/finbert/models \
    && if [ "${MODEL}" = bundled ]; then \
        cp -r finbert_api/models/compact /opt/finbert/models/; \
    else \
        venv/bin/python -m finbert_api model export --model "${MODEL}" --output /opt/finbert/models/exported; \
    fi


# The application's own files, compiled, for a read-only file system keeps no bytecode.
FROM ${BASE_IMAGE} AS application
COPY finbert_api /opt/finbert/app/finbert_api
COPY migrations /opt/finbert/app/migrations
COPY wsgi.py /opt/finbert/app/
WORKDIR /opt/finbert/app
RUN rm -r finbert_api/models \
    && python -m compileall -q --invalidation-mode unchecked-hash . \
    && mkdir bin \
    && printf '%s\n' '#!/opt/finbert/venv/bin/python' 'from finbert_api.__main__ import main' 'main()' > bin/finbert \
    && chmod 0755 bin/finbert


FROM ${BASE_IMAGE}
# Debian keeps only the newest version of a package, so a pinned one would fail to build one day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 finbert \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/finbert --shell /usr/sbin/nologin finbert \
    && install -d -m 0750 -o finbert -g finbert /var/lib/finbert
COPY --from=requirements /opt/finbert/venv /opt/finbert/venv
COPY --from=model /opt/finbert/models /opt/finbert/models
COPY --from=application /opt/finbert/app /opt/finbert/app
WORKDIR /opt/finbert/app
ENV PATH=/opt/finbert/app/bin:/opt/finbert/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/finbert/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GLIBC_TUNABLES=glibc.malloc.tcache_count=0 \
    MODEL_STORE=/opt/finbert/models \
    DATA_DIR=/var/lib/finbert \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, sys; from http.client import HTTPConnection; connection = HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); connection.request('GET', '/health'); sys.exit(connection.getresponse().status != 200)"]
# tini passes signals on and reaps what ends; gunicorn finishes the requests in flight when it is asked to stop.
ENTRYPOINT ["/usr/bin/tini", "--"]
# The migrations take an advisory lock, so containers that start at once wait for each other.
CMD ["sh", "-c", "finbert migrate && exec gunicorn -c python:finbert_api.gunicorn_conf wsgi:app"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="finbert-api" \
    org.opencontainers.image.description="Financial-sentiment service around FinBERT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
