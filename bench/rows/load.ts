import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createKafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { loadEvent } from "../../src/cli/produce/event-load.ts";
import { closedLoop } from "../measure/load.ts";
import { levelOf, openLoop, type Fate, type LoadLevel } from "../measure/open-loop.ts";
import type { Plan } from "../plan.ts";
import type { LoadPlot } from "../report/load-plot.ts";
import { asAdmin, auditDatabase } from "../system/database.ts";
import type { RawRequest } from "../system/http-pool.ts";
import type { MeasuredSystem } from "../system/measured-system.ts";
import { openApiSession, PRICE_MINOR, serviceOf, type ApiSession } from "./api-session.ts";
import { depositRequest } from "./http.ts";
import { orderRequest } from "./place-order.ts";

/**
 * Shares of what the system bears, as a short closed loop has shown it. That figure can be far too low, so the climb goes on until the
 * system has refused: the last level shows twice what it bears, or nearly.
 */
const SHARES = [0.3, 0.6, 1, 1.5, 2, 3, 4.5];
const EVENT_SHARES = [0.3, 0.6, 1, 1.5, 2];
/** A level at which more than this share was refused is the last. */
const REFUSED_ENOUGH = 0.3;
/** Long enough that a server which sheds load by its own measurements has begun to. */
const LEVEL_MS = 6_000;
const CAPACITY_MS = 3_000;
const RESEND_MS = 1_000;
const BETWEEN_MS = 1_000;
const WAIT_SECONDS = 30;
const ENDED_WITHIN_MS = 90_000;

/**
 * Latency of orders against load. Throws: Error when an accepted order did not end, or money moved for one that was refused.
 */
export async function loadOrders(system: MeasuredSystem, plan: Plan): Promise<LoadPlot> {
  const name = "load-orders";
  const session = await openApiSession(system, name);
  const ask = () => orderRequest(session, name, WAIT_SECONDS);
  try {
    const { levels, accepted } = await climb(session, plan, { name: "orders", inFlight: 50, ask });
    const ended = `select count(*)::text as found from orders where user_id like 'bench-${name}-%' and saga_state = 'COMPLETED'`;
    await untilCount(session, ended, accepted);
    const revenue = await session.count(
      `select coalesce(sum(balance_minor), 0)::text as found from accounts where kind = 'revenue' and owner = '${serviceOf(name)}'`,
    );
    if (revenue !== accepted * PRICE_MINOR) throw new Error(`${accepted} orders were accepted and their revenue is ${revenue} minor units`);
    await session.audit();
    return { name: "orders", title: "Wallet orders over HTTP, to their outcome", levels };
  } finally {
    await session.close();
  }
}

/** Latency of deposits against load. Throws: Error when the books do not have what was accepted. */
export async function loadDeposits(system: MeasuredSystem, plan: Plan): Promise<LoadPlot> {
  const name = "load-deposits";
  const session = await openApiSession(system, name);
  try {
    const { levels, accepted } = await climb(session, plan, { name: "deposits", inFlight: 64, ask: () => depositRequest(session) });
    const booked = `select count(*)::text as found from operations where user_id like 'bench-${name}-%' and amount_minor = 100 and outcome = 'done'`;
    await untilCount(session, booked, accepted);
    await session.audit();
    return { name: "deposits", title: "Deposits over HTTP", levels };
  } finally {
    await session.close();
  }
}

interface Climb {
  readonly name: string;
  readonly inFlight: number;
  readonly ask: () => RawRequest;
}

async function climb(session: ApiSession, plan: Plan, { name, inFlight, ask }: Climb): Promise<{ levels: LoadLevel[]; accepted: number }> {
  let accepted = 0;
  const send = async (): Promise<Fate> => {
    const fate = await decidedFate(session, ask());
    if (fate === "accepted") accepted += 1;
    return fate;
  };
  const { figure, operations } = await closedLoop({ concurrency: inFlight, durationMs: CAPACITY_MS, work: send });
  const capacity = (accepted * figure) / operations;
  plan.say(`load of ${name}: about ${Math.round(capacity)}/s can be borne`);
  const levels: LoadLevel[] = [];
  for (const share of SHARES) {
    await session.settle();
    const level = await openLoop({ perSecond: capacity * share, durationMs: LEVEL_MS, arrive: send });
    // An arrival without an answer may have been done all the same, so nothing could be proved afterwards.
    if (level.lost > 0) throw new Error(`${level.lost} of the ${name} at ${Math.round(capacity * share)}/s got no answer`);
    levels.push(level);
    if (level.refused > REFUSED_ENOUGH * (level.accepted + level.refused)) break;
    await sleep(BETWEEN_MS);
  }
  return { levels, accepted };
}

/**
 * Sends a request until its fate is known. Only OVERLOADED says that nothing was begun; of any other 503 the outcome is found by sending the
 * same key again, which a client has to do as well, so that the time counts.
 */
async function decidedFate(session: ApiSession, request: RawRequest): Promise<Fate> {
  let mayHaveBegun = false;
  for (const endsAtMs = performance.now() + ENDED_WITHIN_MS; performance.now() < endsAtMs; await sleep(RESEND_MS)) {
    const answer = await session.send(request).catch(() => undefined);
    if (answer === undefined) {
      // A connection that ended, as an idle one may at any moment, tells nothing of what became of the request.
      mayHaveBegun = true;
      continue;
    }
    const { status, headers, body } = answer;
    if (status === 200 || status === 201 || status === 202) return "accepted";
    if (status !== 503) throw new Error(`an arrival was answered ${status}: ${body.slice(0, 300)}`);
    if (!body.includes('"code":"OVERLOADED"')) mayHaveBegun = true;
    else if (headers["retry-after"] === undefined) throw new Error("OVERLOADED came without Retry-After");
    else if (!mayHaveBegun) return "refused";
  }
  return "lost";
}

async function untilCount(session: ApiSession, query: string, wanted: number): Promise<void> {
  let found = 0;
  for (const endsAtMs = performance.now() + ENDED_WITHIN_MS; performance.now() < endsAtMs; await sleep(200)) {
    found = await session.count(query);
    if (found === wanted) return;
  }
  throw new Error(`${wanted} were accepted and ${found} stand in the database`);
}

/**
 * Latency of purchase events against load: from the moment that an event was to be sent until its operation was recorded, through the
 * running bridge. Nothing is refused; what comes too fast waits in Kafka. Throws: Error when an event is missing.
 */
export async function loadEvents(system: MeasuredSystem, plan: Plan): Promise<LoadPlot> {
  const kafka = createKafka({ brokers: system.brokers, clientId: "bench-load", logger: SILENT_LOG });
  const producer = kafka.createProducer();
  const levels: LoadLevel[] = [];
  try {
    const capacity = await eventsBorne(system, producer);
    plan.say(`load of events: about ${Math.round(capacity)}/s can be borne`);
    for (const share of EVENT_SHARES) {
      const perSecond = capacity * share;
      const sentAtMs = await produce(producer, system.config.KAFKA_TOPIC, perSecond, LEVEL_MS);
      levels.push(levelOf(await recorded(system, sentAtMs), perSecond, LEVEL_MS));
    }
    await auditDatabase(system.databaseUrl);
    return { name: "events", title: "Purchase events, from Kafka to the ledger", levels };
  } finally {
    await producer.close();
    await kafka.close();
  }
}

const SEND_EVERY_MS = 20;
const BACKLOG_PER_SECOND = 20_000;
const BACKLOG_MS = 250;

type Producer = ReturnType<ReturnType<typeof createKafka>["createProducer"]>;

/** How many events a second the running bridge books while more wait. */
async function eventsBorne(system: MeasuredSystem, producer: Producer): Promise<number> {
  const backlog = () => produce(producer, system.config.KAFKA_TOPIC, BACKLOG_PER_SECOND, BACKLOG_MS);
  await recorded(system, await backlog());
  const events = await recorded(system, await backlog());
  return (events.length * 1_000) / Math.max(...events.map(({ tookMs }) => tookMs));
}

/** Sends for `durationMs`; the planned moments of the events by their ids, in milliseconds since 1970. */
async function produce(producer: Producer, topic: string, perSecond: number, durationMs: number) {
  const seed = Number.parseInt(randomUUID().slice(0, 7), 16);
  const load = { kind: "purchase", users: 1_000, seed, currency: "RUB", services: [], occurredAt: new Date().toISOString() } as const;
  const total = Math.max(1, Math.round((perSecond * durationMs) / 1_000));
  const sentAtMs = new Map<string, number>();
  const startedAtMs = Date.now();
  for (let sent = 0; sent < total; await sleep(SEND_EVERY_MS)) {
    const due = Math.min(total, Math.floor(((Date.now() - startedAtMs) * perSecond) / 1_000) + 1);
    if (due === sent) continue;
    const events = Array.from({ length: due - sent }, (_, place) => loadEvent(load, sent + place));
    for (let number = sent; number < due; number += 1) sentAtMs.set(`load-${seed}-${number}`, startedAtMs + (number * 1_000) / perSecond);
    await producer.send(topic, events);
    sent = due;
  }
  return sentAtMs;
}

async function recorded(system: MeasuredSystem, sentAtMs: ReadonlyMap<string, number>) {
  const [first = ""] = sentAtMs.keys();
  const pattern = `event:${system.config.KAFKA_TOPIC}#${first.slice(0, first.lastIndexOf("-"))}-%`;
  return asAdmin(system.adminUrl, async (sql) => {
    let found = 0;
    for (const endsAtMs = performance.now() + ENDED_WITHIN_MS; performance.now() < endsAtMs; await sleep(200)) {
      const [row] = await sql`select count(*)::int as found from operations where key like ${pattern}`;
      found = Number(row?.["found"]);
      if (found === sentAtMs.size) break;
    }
    if (found !== sentAtMs.size) throw new Error(`of ${sentAtMs.size} events ${found} were booked`);
    const rows = await sql`
      select key, (extract(epoch from recorded_at) * 1000)::float8 as recorded_ms from operations where key like ${pattern} and outcome = 'done'`;
    return rows.map((row) => {
      const id = String(row["key"]).split("#")[1] ?? "";
      return { fate: "accepted" as const, tookMs: Number(row["recorded_ms"]) - (sentAtMs.get(id) ?? Number.NaN) };
    });
  });
}
