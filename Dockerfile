# One image for all processes; docker-compose.yml says which one a container runs.
# Everything that is downloaded is checked against the hashes of requirements/runtime.txt.

ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS packages
WORKDIR /build
COPY requirements/runtime.txt ./
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: -r runtime.txt

FROM packages AS code
WORKDIR /app
COPY contracts contracts
COPY kit kit
COPY services services
COPY gateway gateway
COPY cli cli
COPY deploy deploy
# The root file system is read-only when it runs: byte code is written now or never.
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .

FROM python:${PYTHON}
# A volume that is mounted for the first time takes owner and mode of the folder it covers: so nothing has to run as root
# later. 10001 is the platform's user, 10002 the NATS server's (its own image knows no unprivileged one).
RUN groupadd --gid 10001 kkb \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kkb \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/kkb/identity /var/lib/kkb/identity-public /var/lib/kkb/admin \
 && install -d -o 10002 -g 10002 -m 0700 /var/lib/kkb/nats
COPY --from=packages /opt/venv /opt/venv
COPY --from=code /app /app
WORKDIR /app
USER 10001:10001
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    KKB_HOST=0.0.0.0 \
    KKB_PORT=8000 \
    KKB_OPS_HOST=0.0.0.0 \
    KKB_OPS_PORT=9000
EXPOSE 8000 9000
HEALTHCHECK --interval=15s --timeout=5s --start-period=2m --start-interval=1s --retries=3 \
  CMD ["python", "-I", "-S", "/app/deploy/compose/healthy.py"]
