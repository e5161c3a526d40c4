FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/worker
COPY requirements/run.txt requirements/run.txt
RUN /opt/worker/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md ./
COPY worker worker
RUN /opt/worker/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home worker \
    && install -d -o worker /var/lib/darwin-worker
COPY --from=build /opt/worker /opt/worker
USER worker
# The ledger lives here: mount a volume, or lose the memory of what is registered with the container.
VOLUME /var/lib/darwin-worker
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/opt/worker/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["/opt/worker/bin/darwin-worker"]
CMD ["run"]
