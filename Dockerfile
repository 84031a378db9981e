# docker build --target server -t dmr-server .
# docker build --target agent -t dmr-agent .
# The target demo holds what stands in for CentOps and chatbots, and makes the secrets of docker-compose.yml.
# The command dmr (keys, RabbitMQ's definitions, the REPL) is in each of them: docker run --rm dmr-agent dmr help
# Made for a read-only root: only AGENT_DATA_DIR is written to. Pin the digest of the base where it matters:
# --build-arg NODE_IMAGE=node:24-slim@sha256:…
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Nothing of ours needs an install script: lmdb and msgpackr-extract come prebuilt as optional packages.
COPY package.json package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json moleculer.config.ts ./
COPY types ./types
COPY lib ./lib
COPY mixins ./mixins
COPY services ./services
COPY public ./public
RUN npm run build

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE} AS runtime
ENV ENVIRONMENT=production LOGGER_COLORS=false
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist/moleculer.config.js ./dist/
COPY --from=build /app/dist/lib ./dist/lib
COPY --from=build /app/dist/mixins ./dist/mixins
COPY package.json LICENSE ./
COPY bin ./bin
RUN mkdir -p /usr/local/bin && ln -s ../../../app/bin/dmr.mjs /usr/local/bin/dmr
# For `dmr broker definitions`.
COPY rabbitmq/definitions.json ./rabbitmq/
# Mount points that are ours: a fresh volume takes owner and mode from here.
RUN mkdir -m 0700 /data && chown 10001:10001 /data
USER 10001:10001
# Whether the process answers, not whether it can work: who ends unhealthy containers must not end every server because
# RabbitMQ is away. Who waits for a node to be ready asks /v1/health instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "dist/lib/http/health-check.js"]

FROM runtime AS demo
ENV ENVIRONMENT=development
COPY --from=build /app/dist/services/dev ./dist/services/dev
USER 0:0
RUN for name in rabbitmq server agent-a agent-b centops grafana; do mkdir -p "/secrets/$name"; done && chown -R 10001:10001 /secrets
USER 10001:10001
CMD ["node", "dist/services/dev/make-secrets.js"]

FROM runtime AS agent
ENV DMR_ROLE=agent PORT=8077 AGENT_DATA_DIR=/data
COPY --from=build /app/dist/services/agent ./dist/services/agent
COPY --from=build /app/dist/public ./dist/public
# Without a volume here the agent forgets with its container what it must not forget.
VOLUME /data
EXPOSE 8077
CMD ["node", "node_modules/moleculer/bin/moleculer-runner.js", "--config", "dist/moleculer.config.js", "dist/services/agent"]

FROM runtime AS server
# The flags of `npm run start:server`. What is set here instead has to bring them along.
ENV DMR_ROLE=server PORT=8075 NODE_OPTIONS="--max-semi-space-size=32 --max-old-space-size=1024"
COPY --from=build /app/dist/services/server ./dist/services/server
EXPOSE 8075
CMD ["node", "node_modules/moleculer/bin/moleculer-runner.js", "--config", "dist/moleculer.config.js", "dist/services/server"]
