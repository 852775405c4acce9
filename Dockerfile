# syntax=docker/dockerfile:1
# The image of ztunnel for .NET: a NativeAOT binary, glibc, OpenSSL 3.5 and the CA certificates of Debian 13, nothing else. For amd64 and arm64, each built on either (no emulation):
#   docker build -t localhost/ztunnel-dotnet:dev .
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/ztunnel-dotnet:TAG --push .
# The same image again: pin both bases by digest and the packages by moment, and give the commit's time:
#   --build-arg SDK=mcr.microsoft.com/dotnet/sdk@sha256:… --build-arg DEBIAN=debian@sha256:… --build-arg DEBIAN_SNAPSHOT=20261115T000000Z --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
# What is in it (SBOM):  docker buildx build --sbom=true …   or   syft IMAGE -o spdx-json   (packages are listed in /var/lib/dpkg/status.d)
# The steps are scripts in deploy/image; deploy/image/test.sh runs them on a machine without a container engine, and tests the result.

ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0
ARG DEBIAN=debian:trixie-slim

FROM --platform=$BUILDPLATFORM ${SDK} AS build
ARG TARGETARCH
ARG SOURCE_DATE_EPOCH
ARG REVISION=unknown
ENV DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 NUGET_XMLDOC_MODE=skip
WORKDIR /source
COPY .editorconfig Directory.Build.props Directory.Packages.props global.json ./
COPY proto proto
COPY src src
COPY deploy/image/build.sh deploy/image/build.sh
RUN --mount=type=cache,target=/root/.nuget/packages ZTUNNEL_REVISION=${REVISION} deploy/image/build.sh /out "${TARGETARCH}"

FROM --platform=$BUILDPLATFORM ${DEBIAN} AS root
ARG TARGETARCH
ARG SOURCE_DATE_EPOCH
ARG DEBIAN_SNAPSHOT
COPY deploy/image/userland.sh deploy/image/assemble.sh /image/
RUN /image/userland.sh /rootfs "${TARGETARCH}"
COPY --from=build /out/ztunnel /image/ztunnel
RUN /image/assemble.sh /rootfs /image/ztunnel

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED
ARG ISTIO_VERSION=unknown
LABEL org.opencontainers.image.title="ztunnel for .NET" \
      org.opencontainers.image.description="L4 node proxy of Istio's ambient mesh" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="debian:trixie-slim"
COPY --from=root /rootfs/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    ISTIO_META_ISTIO_VERSION=${ISTIO_VERSION}
# Entering the namespaces of pods needs uid 0 (with NET_ADMIN, SYS_ADMIN and NET_RAW only); nothing is written outside /tmp and /var/run/ztunnel.
USER 0:1337
WORKDIR /
ENTRYPOINT ["/usr/local/bin/ztunnel"]
CMD ["proxy", "ztunnel"]
