# paligemma in a container: packages are built in one stage and installed in another.
#   docker build -t paligemma .
#   docker run --rm -v "$PWD:/work" -v ~/models:/models:ro -e PALIGEMMA_MODEL=/models/NAME paligemma caption photo.jpg
FROM debian:12-slim AS build
WORKDIR /source
COPY build.sh .
RUN ./build.sh deps
COPY . .
RUN ./build.sh packages

FROM debian:12-slim
COPY --from=build /source/build-packages/*.deb /packages/
# A font, for labels in pictures.
RUN apt-get update && rm -f /packages/*-dev_*.deb && \
    apt-get install -y --no-install-recommends /packages/*.deb fonts-dejavu-core && \
    rm -rf /packages /var/lib/apt/lists/* && \
    useradd --create-home --uid 1000 paligemma
USER paligemma
WORKDIR /work
HEALTHCHECK --interval=1m --timeout=10s CMD ["paligemma", "--version"]
ENTRYPOINT ["paligemma"]
CMD ["--help"]
