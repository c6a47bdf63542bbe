import { setTimeout as sleep } from "node:timers/promises";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { openBalanceCache, type BalanceCacheParts } from "../../workers/parts/balance-cache-parts.ts";
import { startCacheStorm, type CallApi } from "../support/cache-storm.ts";
import { startCacheSystem, type CacheSystem } from "../support/cache-system.ts";
import { endOnSignals, wordsOfRun } from "../support/chaos-run.ts";
import { until } from "../support/until.ts";

const USAGE = `npm run chaos:cache -- [FAULTS] [SEED]

Two processes of the api over one Postgres and one Redis, with 64 writers and 64 readers. Redis is killed, paused, made a read-only replica,
flushed, and set back to older content, FAULTS (20) times in all and for random times, each when the cache is read again. Prints every read that
missed a change, and what the audit of the books and the comparison of cache and books find; ends with 1 then.
`;

const [count = "20", seed = "1"] = wordsOfRun(USAGE, 2);
const DEADLINE_MS = 2_000;
const MAX_FAULT_MS = 4_000;

endOnSignals();
const system = await startCacheSystem([1, 2].map(() => ({ DATABASE_DEADLINE_MS: String(DEADLINE_MS) })));
let problems = 1;
try {
  problems = await run(system);
} finally {
  await system.stop();
}
process.exit(problems === 0 ? 0 : 1);

async function run({ databaseUrl, redis, apis }: CacheSystem): Promise<number> {
  const random = seededRandom(Number(seed));
  const database = createDatabase({ url: databaseUrl, name: "chaos", laneCount: 2, deadlineMs: 60_000 });
  const link = openRedis({ url: redis.url, logger: SILENT_LOG });
  const cache = openBalanceCache({ database, redis: link, logger: SILENT_LOG, deadlineMs: DEADLINE_MS });
  const faults: readonly (readonly [string, () => Promise<void>])[] = [
    ["killed", redis.kill],
    [
      "paused",
      async () => {
        await redis.pause();
        await sleep(random() * MAX_FAULT_MS);
        redis.goOn();
      },
    ],
    [
      "a replica",
      async () => {
        await redis.becomeReplica();
        await sleep(random() * MAX_FAULT_MS);
        await redis.becomeMaster();
      },
    ],
    ["flushed", async () => void (await redis.client.flushall())],
    ["set back", redis.failOverAndBack],
  ];
  const storm = startCacheStorm({
    apis: apis.map(({ url }) => callOf(url)),
    writers: 64,
    readers: 64,
    users: 200,
    seed: Number(seed),
    writerRestMs: 200,
  });
  const wrong: string[] = [];
  try {
    for (let number = 0; number < Number(count); number += 1) {
      await untilOpen(cache);
      await sleep(1_000 + random() * 2_000);
      await untilUp(link.isUp);
      const compared = await cache.compare(1_000);
      wrong.push(...compared.wrong.map(({ userId, cached, books }) => `the cache had ${cached} of ${userId}, the books ${books}`));
      const [name, cause] = faults[number % faults.length] as (typeof faults)[number];
      await cause();
      const { reads, writes, again, slowestWriteMs, broken } = storm.report();
      console.log(
        `${number + 1}: Redis was ${name}; ${compared.checked} compared; ${reads} reads, ${writes} deposits until now, ${again} sent again, the slowest ${Math.round(slowestWriteMs)} ms; ${broken.length} wrong`,
      );
    }
    await untilOpen(cache);
  } finally {
    wrong.push(...(await storm.stop()).broken);
  }
  const { findings } = await auditBooks(database.db);
  wrong.push(...findings.flatMap(({ broken, invariant, examples }) => (broken === 0n ? [] : [`${invariant}: ${examples.join("; ")}`])));
  for (const words of wrong) console.log(`WRONG: ${words}`);
  console.log(wrong.length === 0 ? `No read missed a change (seed ${seed}).` : `${wrong.length} things are wrong (seed ${seed}).`);
  link.close();
  await cache.close();
  await database.close();
  return wrong.length;
}

function untilOpen(cache: BalanceCacheParts): Promise<void> {
  // A busy machine may not answer in time; then it is asked again.
  const isOpen = () =>
    cache
      .gate()
      .then(({ state }) => state === "open")
      .catch(() => false);
  return until("the cache is open", isOpen, 600_000);
}

function untilUp(isUp: () => boolean): Promise<void> {
  return until("Redis is up", isUp);
}

function callOf(url: string): CallApi {
  return async (method, path, { body, key } = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: { "content-type": "application/json", ...(key === undefined ? {} : { "idempotency-key": key }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
}
