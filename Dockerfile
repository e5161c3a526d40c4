# The worker as an image. tests/deploy/test_image.py holds what it promises; `make image-check` builds and runs it.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/worker \
    && pip --python /opt/worker install --no-cache-dir --no-compile --require-hashes --only-binary :all: -r requirements/run.txt
COPY LICENSE README.md pyproject.toml ./
COPY worker worker
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir dist . \
    && pip --python /opt/worker install --no-cache-dir --no-compile --no-index --no-deps dist/*.whl \
    && python -m compileall -q -f --invalidation-mode unchecked-hash /opt/worker/lib

FROM ${BASE}
# The standard library comes without compiled modules, and a root that is read-only cannot keep any: each start would
# compile what it imports anew. They do not go by their source's date, which a layer rounds to seconds.
RUN python -m compileall -q -f --invalidation-mode unchecked-hash -x site-packages "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && groupadd --gid 10001 worker \
    && useradd --no-log-init --uid 10001 --gid worker --no-create-home --home-dir /var/lib/darwin-worker worker \
    && install -d -o worker -g worker /var/lib/darwin-worker
COPY --from=build /opt/worker /opt/worker
ENV PATH=/opt/worker/bin:$PATH
# By number, because Kubernetes cannot tell of a name that it is not root.
USER 10001:10001
# The ledger lives here: mount a volume, or lose the memory of what is registered with the container.
VOLUME /var/lib/darwin-worker
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["/opt/worker/bin/python", "-c", \
    "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('WORKER_WEB__PORT') or 8080), timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
LABEL org.opencontainers.image.title="darwin-worker" \
    org.opencontainers.image.description="Registers every new object of an S3 bucket in V7 Darwin" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["/opt/worker/bin/darwin-worker"]
CMD ["run"]
