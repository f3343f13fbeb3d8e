# The image of Courtside: the HTTP server, the worker and all other commands of `courtside`.
#
#   docker build -t courtside .                      the service
#   docker build -t courtside-backup --target backup .   the same with pg_dump and pg_restore, for `courtside backup`
#
# The base images are named by version. Whoever can reach their registry may pin them by digest.

# -- the page ----------------------------------------------------------------------------------------------
FROM node:22-trixie-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --omit=dev --include=optional --no-audit --no-fund
COPY web/ ./
RUN npm run build

# -- the packages ------------------------------------------------------------------------------------------
FROM python:3.13-slim-trixie AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/courtside
WORKDIR /app
COPY requirements/production.txt requirements/
# Wheels only: nothing is compiled, so there is no compiler to leave out.
RUN /opt/courtside/bin/pip install --no-deps --only-binary :all: --require-hashes -r requirements/production.txt
COPY pyproject.toml README.md LICENSE ./
COPY server/ server/
COPY migrations/ migrations/
COPY --from=page /src/server/page server/page
# The code stays where it is, with its migrations and its page beside it; what installed it goes.
RUN /opt/courtside/bin/pip install --no-deps --no-index --no-build-isolation --editable . && \
    rm -rf courtside.egg-info requirements && \
    /opt/courtside/bin/python -m compileall -q server migrations && \
    /opt/courtside/bin/pip uninstall --yes --quiet setuptools pip

# -- what runs ---------------------------------------------------------------------------------------------
FROM python:3.13-slim-trixie AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/courtside --shell /usr/sbin/nologin courtside && \
    install --directory --owner=courtside --group=courtside --mode=0700 /var/lib/courtside
COPY --from=packages /opt/courtside /opt/courtside
COPY --from=packages /app /app
ENV PATH=/opt/courtside/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COURTSIDE_HOME=/var/lib/courtside \
    HOST=0.0.0.0 \
    PORT=8000
# Not /app: a file `.env` in the working directory would be read, and the code is not for writing.
WORKDIR /var/lib/courtside
VOLUME /var/lib/courtside
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Whether the process lives. Whether it may get requests is /health/ready, for what stands in front.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, ssl, urllib.request as u; s = 's' if os.environ.get('TLS_CERT') else ''; u.urlopen(f'http{s}://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=4, context=ssl._create_unverified_context() if s else None)"]
CMD ["courtside", "serve"]

# -- the same, with Postgres' own programs for backups -------------------------------------------------------
FROM runtime AS backup
USER 0
# hadolint ignore=DL3008 # Debian keeps only its newest build of a major version, so an exact pin breaks the next build
RUN apt-get update && \
    apt-get install --yes --no-install-recommends postgresql-client-17 && \
    rm -rf /var/lib/apt/lists/* && \
    install --directory --owner=courtside --group=courtside --mode=0700 /var/backups/courtside
ENV BACKUP_DIR=/var/backups/courtside
VOLUME /var/backups/courtside
USER 10001:10001
HEALTHCHECK NONE
CMD ["courtside", "backup"]

# Last, since it is what `docker build .` makes.
FROM runtime AS service
