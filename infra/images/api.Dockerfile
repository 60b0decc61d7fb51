# The API, and the migrations of the database.
# Built from the repository's root: docker build --file infra/images/api.Dockerfile .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /source
COPY requirements/build.txt requirements/
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY core core
COPY api api
COPY streams streams
COPY serving serving
COPY operator operator
COPY local local
RUN python -m hatchling build --target wheel --directory /wheel

FROM ${PYTHON_IMAGE}
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY requirements/api.txt /opt/mien/
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --requirement /opt/mien/api.txt
COPY --from=wheel /wheel /opt/mien/wheel
RUN python -m pip install --no-cache-dir --no-deps /opt/mien/wheel/*.whl
USER 10001:10001
CMD ["python", "-m", "mien_api"]
