# syntax=docker/dockerfile:1
#
#   docker build -t sallyport .
#   docker run --rm --read-only --cap-drop ALL --cap-add NET_BIND_SERVICE \
#     -p 53:53/udp -p 53:53/tcp -v sallyport-audit:/var/lib/sallyport \
#     -v "$PWD/my-policies:/etc/sallyport/policies:ro" sallyport
#
# Settings are in /etc/sallyport/sallyport.yaml, audit and state in /var/lib/sallyport; nothing else is written. Every *.yaml
# in /etc/sallyport/policies is the policy. The one of the image serves nobody but the container itself: mount your own, with
# the addresses that clients have as the container sees them (172.17.0.1 for this host, with Docker's usual bridge).
# Examples are in /opt/sallyport/policies.
#
# Without NET_BIND_SERVICE the kernel does not start the program at all ("operation not permitted"): the capability is on
# its file. A container that may not have it builds from here without the `setcap` line, and listens on a port above 1023.

ARG NODE_VERSION=24

FROM node:${NODE_VERSION}-slim AS build
WORKDIR /opt/sallyport
COPY package.json package-lock.json ./
# No package needs an install script, so none gets to run: koffi ships its binaries.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-slim
# A user without rights binds port 53 because the program may: the capability is on the file, and the container is started
# with that one alone. Package managers are not needed to serve and are removed.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcap2-bin \
 && setcap cap_net_bind_service=+ep /usr/local/bin/node \
 && apt-get purge -y --auto-remove libcap2-bin \
 && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /opt/yarn-* \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && install -d -o 1000 -g 1000 -m 0750 /var/lib/sallyport

WORKDIR /opt/sallyport
COPY --from=build /opt/sallyport/package.json ./
COPY --from=build /opt/sallyport/node_modules ./node_modules
COPY --from=build /opt/sallyport/dist ./dist
COPY LICENSE ./
COPY schema ./schema
COPY policies ./policies
COPY policies/starter.yaml /etc/sallyport/policies/
COPY deploy/container/sallyport.yaml /etc/sallyport/sallyport.yaml

# glibc reserves 64 MiB of address space for every further arena of its allocator; MALLOC_ARENA_MAX bounds how many there are.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 SALLYPORT_CONFIG=/etc/sallyport/sallyport.yaml
USER 1000:1000
VOLUME /var/lib/sallyport
EXPOSE 53/udp 53/tcp 8053/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8053/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/sallyport.js"]
CMD ["serve", "--lame-duck", "2"]
