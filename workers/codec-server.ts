import { resolve } from "node:path";
import { createLogger } from "../src/adapters/logger.ts";
import { openReadingCodec } from "../src/adapters/payload-codec/payload-protection.ts";
import { ownRedis } from "../src/adapters/redis/own-redis.ts";
import { openRedis } from "../src/adapters/redis/redis.ts";
import { createCodecApp } from "../src/api/codec/codec-app.ts";
import { listen } from "../src/api/http/http-server.ts";
import { untilAborted } from "../src/base/aborted.ts";
import { isLoopbackHost } from "../src/base/loopback.ts";
import { ConfigError, loadRoleConfig } from "../src/config.ts";
import { readRunning } from "../src/stack/running.ts";
import { createDatabase } from "../src/store/postgres/database.ts";
import { markOfDatabase } from "../src/store/postgres/deployment.ts";
import { httpsOf } from "./parts/https.ts";
import { openIdentity } from "./parts/open-identity.ts";
import { required } from "./parts/required.ts";
import { runRole } from "./parts/run-role.ts";

const CLOSE_GRACE_MS = 5_000;

const USAGE = `npm run codec-server

Encrypts and decrypts payloads of Temporal for its Web UI and its command line, for admins: docs/security.md, "The codec server". It runs until
Ctrl-C and takes no options; its settings come from the environment or .env:

  TEMPORAL_PAYLOAD_KEYS_FILE   the keys (or TEMPORAL_PAYLOAD_KEYS), as every role has them
  CODEC_HOST, CODEC_PORT       where it listens (default: 127.0.0.1, 8091)
  CODEC_ORIGIN                 the origin whose pages may ask; without it none
  HTTP_TLS_CERT, HTTP_TLS_KEY  it speaks HTTPS then

  --help                       print this
`;

const words = process.argv.slice(2);
if (words.length > 0) {
  const isHelp = words.includes("--help");
  process[isHelp ? "stdout" : "stderr"].write(isHelp ? USAGE : `codec-server: it takes no ${words[0]}\n\n${USAGE}`);
  process.exit(isHelp ? 0 : 2);
}

await runRole("codec", async ({ signal, ready }) => {
  const config = loadRoleConfig({ decrypts: true });
  const codec = openReadingCodec(config);
  if (codec === undefined) throw new ConfigError(["TEMPORAL_PAYLOAD_KEYS: the codec server needs the keys"]);
  if (config.AUTH_MODE === "off") throw new ConfigError(["AUTH_MODE: the codec server asks for tokens; it must be required"]);
  const logger = createLogger({ role: "codec", level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  const https = httpsOf(config, logger);
  if (https === undefined && !isLoopbackHost(config.CODEC_HOST) && config.ALLOW_INSECURE_BIND !== "container")
    throw new ConfigError(["CODEC_HOST: must be a loopback address without HTTP_TLS_CERT: what it answers is in the open"]);
  // Beside `npm start` the addresses are those of the running system.
  const running = readRunning(resolve(config.DATA_DIR));
  const databaseUrl = required(config.DATABASE_URL ?? running?.databaseUrl, "DATABASE_URL");
  const database = createDatabase({ url: databaseUrl, name: "saldo-codec", laneCount: 1, deadlineMs: config.DATABASE_DEADLINE_MS });
  const link = openRedis({ url: config.REDIS_URL ?? running?.redisUrl, logger });
  const redis = ownRedis(link, { readMark: () => markOfDatabase(database.db), logger });
  const { authenticator, close } = await openIdentity({
    config: { ...config, AUTH_KEYS_DIR: config.AUTH_KEYS_DIR ?? running?.keysDir },
    databaseUrl,
    redis,
    log: logger,
  });
  const app = createCodecApp({ codec, authenticator, origin: config.CODEC_ORIGIN, log: logger });
  const server = await listen(app, { host: config.CODEC_HOST, port: config.CODEC_PORT, https });
  logger.info({ event: "codec.listening", host: config.CODEC_HOST, port: server.port, origin: config.CODEC_ORIGIN }, "listening");
  ready();
  await untilAborted(signal);
  await server.close(CLOSE_GRACE_MS);
  redis.close();
  await Promise.all([close(), database.close()]);
});
