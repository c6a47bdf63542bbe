import { setTimeout as sleep } from "node:timers/promises";
import type { PartitionLag } from "../../src/adapters/kafka/kafka-lag.ts";
import type { Kafka } from "../../src/adapters/kafka/kafka.ts";
import { payloadsInWords } from "../../src/adapters/payload-codec/payload-protection.ts";
import { hostAndPort, untilReachable } from "../../src/adapters/reachable.ts";
import type { RedisLink } from "../../src/adapters/redis/redis.ts";
import type { TemporalLink } from "../../src/adapters/temporal/temporal.ts";
import type { DependencyCheck } from "../../src/api/deps.ts";
import { withinOrThrow } from "../../src/base/deadline.ts";
import { DomainError } from "../../src/base/errors.ts";
import type { Config } from "../../src/config.ts";
import { providerInWords, providerUrl } from "../../src/config/provider-in-words.ts";
import { pspKindOf } from "../../src/config/psp-settings.ts";
import { kafkaSecurity } from "../../src/config/server-variables.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { isPooled } from "../../src/store/postgres/pooler.ts";
import { pingPostgres, pingTemporal } from "./probes.ts";
import { tlsTroubles } from "./tls-troubles.ts";

/** How long one check of a dependency may take. */
export const CHECK_DEADLINE_MS = 1_000;
const READY_POLL_MS = 100;

/** The checks that `/readyz` shows. The api is ready when Postgres and Temporal answer; Redis and Kafka are shown only. Throws: PayloadKeysError. */
export function dependencyChecks({
  config,
  db,
  redis,
  temporal,
  kafka,
  readLag,
}: {
  readonly config: Config;
  /** A database whose lanes give up after `CHECK_DEADLINE_MS`. */
  readonly db: Db;
  readonly redis: RedisLink;
  /** Undefined until Temporal was connected to for the first time. */
  readonly temporal: () => TemporalLink | undefined;
  readonly kafka: Pick<Kafka, "ping">;
  readonly readLag: () => Promise<readonly PartitionLag[]>;
}): DependencyCheck[] {
  const broker = config.KAFKA_BROKERS?.split(",")[0];
  const trouble = tlsTroubles(config, CHECK_DEADLINE_MS);
  const payloads = payloadsInWords(config);
  const provider = providerInWords(config);
  return [
    {
      name: "postgres",
      needed: true,
      check: () => explained(() => pingPostgres(db), trouble.postgres),
      details: async () => poolerInWords(config.DATABASE_URL),
    },
    {
      name: "temporal",
      needed: true,
      check: () =>
        explained(async () => {
          const link = temporal();
          if (link === undefined) throw new DomainError("UNAVAILABLE", "not connected yet");
          await pingTemporal(link.client, CHECK_DEADLINE_MS);
        }, trouble.temporal),
      details: async () => ({ payloads }),
    },
    // By PING and not by connecting: a Redis that hangs still takes connections.
    ...(redis.enabled ? [{ name: "redis", needed: false, check: () => explained(redis.ping, trouble.redis) }] : []),
    ...(broker === undefined
      ? []
      : [
          {
            name: "kafka",
            needed: false,
            check: () => explained(() => pingKafka(config, broker, kafka), trouble.kafka),
            details: async () => lagInWords(await readLag()),
          },
        ]),
    ...(provider === undefined
      ? []
      : [{ name: "psp", needed: false, check: () => pingProvider(config), details: async () => ({ provider }) }]),
  ];
}

/** Of Stripe nothing is asked: it counts requests, and does not serve probes. */
async function pingProvider(config: Config): Promise<void> {
  const url = providerUrl(config);
  if (url === undefined || pspKindOf(config) === "stripe") return;
  await untilReachable(hostAndPort(url), CHECK_DEADLINE_MS);
}

/** A broker without a login only has to take connections: of more its client knows when it is used. */
async function pingKafka(config: Config, broker: string, kafka: Pick<Kafka, "ping">): Promise<void> {
  const { tls, sasl } = kafkaSecurity(config);
  if (tls === undefined && sasl === undefined) await untilReachable(hostAndPort(broker), CHECK_DEADLINE_MS);
  else await withinOrThrow(kafka.ping(), CHECK_DEADLINE_MS);
}

/** The check; when it fails because TLS does not come about, it fails with the reason. */
async function explained(check: () => Promise<void>, findTrouble: (() => Promise<string | undefined>) | undefined): Promise<void> {
  try {
    await check();
  } catch (error) {
    const reason = await findTrouble?.();
    if (reason === undefined) throw error;
    throw new DomainError("UNAVAILABLE", `no TLS: ${reason}`, {}, error);
  }
}

/** Waits until every needed dependency answers. False when the signal aborts first. */
export async function untilAllAnswer(checks: readonly DependencyCheck[], signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const answers = await Promise.allSettled(checks.filter(({ needed }) => needed).map(({ check }) => check()));
    if (answers.every(({ status }) => status === "fulfilled")) return true;
    await sleep(READY_POLL_MS);
  }
  return false;
}

/** What there is to know of a pooler at the database's address; nothing without one. */
function poolerInWords(databaseUrl: string | undefined): Record<string, string> {
  if (databaseUrl === undefined || !isPooled(databaseUrl)) return {};
  return { pooler: "in transaction mode: no prepared statements, no statement_timeout, no LISTEN (docs/operations.md, PgBouncer)" };
}

/** By topic and partition, in messages. */
export function lagInWords(lags: readonly PartitionLag[]): Record<string, string> {
  return Object.fromEntries(
    lags.flatMap(({ topic, partition, lag, stableLag, removedUnread, unreadable }) => {
      const place = `${topic}/${partition}`;
      const waiting = lag - stableLag;
      const lines: [string, string][] = [[`lag ${place}`, lag.toString()]];
      if (waiting > 0n) lines.push([`behind an open transaction ${place}`, waiting.toString()]);
      if (unreadable !== undefined) lines.push([`cannot be read ${place}`, unreadable]);
      if (removedUnread > 0n) lines.push([`removed unread ${place}`, removedUnread.toString()]);
      return lines;
    }),
  );
}
