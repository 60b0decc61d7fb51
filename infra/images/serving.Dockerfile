# Ray and the models, for the nodes of a RayCluster.
# Built from the repository's root: docker build --file infra/images/serving.Dockerfile .
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
# which GPUs a pod sees is the device plugin's affair; what of them is used is said here
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY requirements/serving.txt /opt/mien/
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --requirement /opt/mien/serving.txt
COPY --from=wheel /wheel /opt/mien/wheel
RUN python -m pip install --no-cache-dir --no-deps /opt/mien/wheel/*.whl
# KubeRay says what runs
USER 10001:10001
