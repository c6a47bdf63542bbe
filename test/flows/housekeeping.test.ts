import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HousekeepingResult } from "../../src/contract/self-audit.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { asOwner } from "../support/as-owner.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";

let bench: SagaBench;

beforeAll(async () => {
  bench = await openSagaBench({ redisUrl: undefined });
});

afterAll(() => bench.close());

const run = <Result>(type: string, args: unknown[] = []): Promise<Result> =>
  bench.client.workflow.execute(type, { workflowId: `${type}-${randomUUID()}`, taskQueue: TASK_QUEUES.reports, args }) as Promise<Result>;

describe("the housekeeping", () => {
  it("removes what is old enough and nothing else", async () => {
    const keep = 604_800_000;
    await asOwner(bench.adminUrl, async (owner) => {
      await owner`insert into outbox (aggregate_type, aggregate_id, topic, created_at, published_at) values ('late', 'kept', 't', now() - interval '9 days', now())`;
      await owner`insert into outbox (aggregate_type, aggregate_id, topic, created_at, published_at) values ('test', 'gone', 't', now() - interval '9 days', now() - interval '8 days')`;
      await owner`insert into outbox (aggregate_type, aggregate_id, topic, created_at) values ('test', 'waits', 't', now() - interval '9 days')`;
      await owner`insert into idempotency_answers (key, request_hash, status, headers, body, created_at)
        values ('old', 'h', 200, '{}', '', now() - interval '31 days'), ('new', 'h', 200, '{}', '', now() - interval '29 days')`;
      await owner`insert into users (id, login, password_hash, roles) values ('u', 'u', 'x', '{user}')`;
      await owner`insert into sessions (id, user_id, expires_at) values ('old', 'u', now() - interval '2 days'), ('kept', 'u', now() - interval '2 days')`;
      await owner`insert into refresh_tokens (hash, session_id, expires_at) values ('old', 'old', now() - interval '2 days'), ('new', 'kept', now())`;
      await owner`insert into revoked_tokens (token_id, subject, expires_at) values ('old', 'u', now() - interval '2 days'), ('new', 'u', now())`;
      await owner`insert into provider_events (id, type, received_at) values ('old', 't', now() - interval '61 days'), ('kept', 't', now() - interval '59 days')`;
      await owner`insert into self_audits (ok, findings, at) values (true, '[]', now() - interval '8 days')`;
    });
    const removed = await run<HousekeepingResult>("housekeeping", [{ outboxKeepMs: keep }]);
    expect(removed).toEqual({
      idempotency_answers: 1,
      refresh_tokens: 1,
      sessions: 1,
      revoked_tokens: 1,
      self_audits: 1,
      webhook_deliveries: 0,
      provider_events: 1,
      outbox: 1,
    });
    expect(await run<HousekeepingResult>("housekeeping", [{ outboxKeepMs: keep }])).toMatchObject({ outbox: 0, sessions: 0 });
    const left = await bench.database.db.execute(
      sql`select aggregate_id from outbox where aggregate_type = 'test' and aggregate_id <> 'stale'`,
    );
    expect(left.map((row) => row["aggregate_id"])).toEqual(["waits"]);
  });

  it("goes through an outbox of many pieces, whatever waits between them", async () => {
    await asOwner(
      bench.adminUrl,
      (owner) => owner`insert into outbox (aggregate_type, aggregate_id, topic, created_at, published_at)
        select 'piece', n::text, 't', now() - interval '9 days', case when n % 2 = 0 then now() - interval '8 days' end from generate_series(1, 5000) n`,
    );
    expect(await run<HousekeepingResult>("housekeeping", [{ outboxKeepMs: 604_800_000 }])).toMatchObject({ outbox: 2_500 });
  });
});
