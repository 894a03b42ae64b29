# A node of Ottla, configured as the apache/kafka image is: docs/docker.md.
#
#   docker build -t ottla .
#   docker run -p 9092:9092 ottla
#
# NODE_IMAGE: any image with Node.js 20 or newer, npm and a shell. What the final image needs of it is taken over:
# node, the libraries that it loads, sh and env. So the image is little more than Node.js itself.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /opt/ottla
# The packages first: they change less often than the sources.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json rolldown.config.mjs LICENSE README.md ./
COPY protocol protocol
COPY storage storage
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund
COPY config config

# The file system of the final image.
RUN set -e; \
    for program in "$(command -v node)" "$(command -v sh)" /usr/bin/env; do \
      echo "${program}"; ldd "${program}" | sed -n 's|^[^/]*\(/[^ ]*\).*|\1|p'; \
    done | sort -u | while read -r file; do \
      mkdir -p "/image$(dirname "${file}")"; cp -L "${file}" "/image${file}"; \
    done; \
    [ -e /image/bin/sh ] || { mkdir -p /image/bin; ln -s "$(command -v sh)" /image/bin/sh; }; \
    mkdir -p /image/opt/ottla/dist /image/usr/local/bin /image/etc /image/tmp; \
    chmod 1777 /image/tmp; \
    cp -R package.json LICENSE README.md config node_modules /image/opt/ottla/; \
    cp -R dist/bundle /image/opt/ottla/dist/; \
    chmod 755 /image/opt/ottla/dist/bundle/main.js; \
    ln -s /opt/ottla/dist/bundle/main.js /image/usr/local/bin/ottla; \
    echo 'ottla:x:1000:1000:Ottla:/home/ottla:/bin/sh' > /image/etc/passwd; \
    echo 'ottla:x:1000:' > /image/etc/group

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    HOME=/home/ottla
# What the user may write, volumes on top of it too. The number is that of the apache/kafka image, so that a volume which
# that image wrote can be opened.
RUN ["node", "-e", \
     "for (const path of process.argv.slice(1)) { fs.mkdirSync(path, { recursive: true }); fs.chownSync(path, 1000, 1000) }", \
     "/home/ottla", "/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data", \
     "/tmp/kraft-combined-logs", "/tmp/kafka-logs"]
USER 1000:1000
WORKDIR /home/ottla
EXPOSE 9092
VOLUME ["/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["ottla", "health"]
# Node.js is process 1: it hears SIGTERM, ends in order, and starts no other process that it would have to look after.
ENTRYPOINT ["ottla"]
CMD ["docker-start"]
