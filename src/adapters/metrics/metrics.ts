import { monitorEventLoopDelay } from "node:perf_hooks";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { AggregationType, MeterProvider } from "@opentelemetry/sdk-metrics";
import type { PartitionLag } from "../kafka/kafka-lag.ts";

/** How one request went. */
export interface RequestMeasure {
  /** The route's pattern, never the path: that would make a series of every id. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
  /** The code of the problem that was answered. */
  readonly code: string | undefined;
}

/** Messages that wait to leave. */
export interface Backlog {
  readonly count: number;
  readonly oldestAgeSeconds: number;
}

/** What is measured when the metrics are read. A measure that fails or is too slow is left out; for a part, `up` is 0. */
export interface Watched {
  /** By name: `postgres`, `temporal`, `redis`, `kafka`. */
  readonly parts?: Readonly<Record<string, () => Promise<void>>>;
  readonly outbox?: () => Promise<Backlog>;
  /** Things that wait for somebody, by kind: dead letters, deliveries of webhooks. */
  readonly waiting?: () => Promise<Readonly<Record<string, number>>>;
  /** Circuit breakers by name. */
  readonly breakers?: Readonly<Record<string, () => "closed" | "open" | "half-open">>;
  /** The lag of the bridge's groups. */
  readonly lag?: () => Promise<readonly PartitionLag[]>;
  /** Statements that wait or run, by the kind of lane. */
  readonly lanes?: Readonly<Record<string, () => number>>;
  /** How much new work of each kind is let in, and how much is in. */
  readonly newWork?: () => Readonly<Record<string, { readonly limit: number; readonly inFlight: number }>>;
}

/** The cache had it; the cache was asked and had it not; the cache may not be read now. Both of the latter are read from the books. */
export type BalanceReadOutcome = "hit" | "miss" | "books";

/** What the process counts about itself. Counting never fails and never waits. */
export interface Metrics {
  request(measure: RequestMeasure): void;
  /** A request that was over the limit of this policy. */
  rateLimited(policy: string): void;
  /** New work of this kind that was refused because more was under way than could be answered in time. */
  shed(kind: string): void;
  /** An operation put to the ledger. */
  posted(type: string, outcome: string): void;
  /** Users whose balances were read, by where they were found. */
  balancesRead(outcome: BalanceReadOutcome, users: number): void;
  watch(watched: Watched): void;
  /** Everything in the text format of Prometheus. */
  render(): Promise<string>;
}

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const LOOP_RESOLUTION_MS = 20;
const WATCH_DEADLINE_MS = 2_000;

/** The metrics of one process. */
export function createMetrics(): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true, withoutTargetInfo: true });
  const provider = new MeterProvider({
    readers: [exporter],
    views: [
      {
        instrumentName: "http_server_request_duration_seconds",
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: REQUEST_SECONDS } },
      },
    ],
  });
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  const meter = provider.getMeter("saldo");
  const requests = meter.createHistogram("http_server_request_duration_seconds", {
    description: "From a request to the beginning of its answer.",
  });
  const errors = meter.createCounter("http_server_errors", { description: "Problems answered, by code." });
  const limited = meter.createCounter("http_server_rate_limited", { description: "Requests over a limit, by policy." });
  const sheds = meter.createCounter("http_requests_shed", { description: "New work refused because more was under way, by kind." });
  const posts = meter.createCounter("ledger_posts", { description: "Operations put to the ledger, by what became of them." });
  const balanceReads = meter.createCounter("balance_cache_reads", { description: "Users' balances read, by where they were found." });
  observeProcess(meter);

  return {
    request({ route, method, status, seconds, code }) {
      requests.record(seconds, { route, method, status });
      if (code !== undefined) errors.add(1, { code });
    },
    rateLimited: (policy) => limited.add(1, { policy }),
    shed: (kind) => sheds.add(1, { kind }),
    posted: (type, outcome) => posts.add(1, { type, outcome }),
    balancesRead(outcome, users) {
      if (users > 0) balanceReads.add(users, { outcome });
    },
    watch: (watched) => observe(meter, watched),
    async render() {
      const { resourceMetrics } = await exporter.collect({ timeoutMillis: WATCH_DEADLINE_MS });
      return serializer.serialize(resourceMetrics);
    },
  };
}

type Meter = ReturnType<MeterProvider["getMeter"]>;

function observeProcess(meter: Meter): void {
  const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loopDelay.enable();
  meter.createObservableCounter("process_cpu_seconds", { description: "CPU time of the process." }).addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe((user + system) / 1_000_000);
  });
  meter.createObservableGauge("process_resident_memory_bytes", { description: "Memory of the process." }).addCallback((result) => {
    result.observe(process.memoryUsage.rss());
  });
  meter.createObservableGauge("nodejs_heap_used_bytes", { description: "Heap in use." }).addCallback((result) => {
    result.observe(process.memoryUsage().heapUsed);
  });
  meter.createObservableGauge("process_uptime_seconds", { description: "Since the process began." }).addCallback((result) => {
    result.observe(process.uptime());
  });
  meter
    .createObservableGauge("nodejs_eventloop_delay_p99_seconds", {
      description: "Since the last reading, the timer's own resolution taken off.",
    })
    .addCallback((result) => {
      result.observe(Math.max(0, loopDelay.percentile(99) / 1e9 - LOOP_RESOLUTION_MS / 1_000));
      loopDelay.reset();
    });
}

function observe(meter: Meter, { parts = {}, outbox, waiting, lag, lanes = {}, breakers = {}, newWork }: Watched): void {
  meter.createObservableGauge("dependency_up", { description: "1 when the part answers." }).addCallback(async (result) => {
    await Promise.all(
      Object.entries(parts).map(async ([part, check]) => {
        const isUp = await check().then(
          () => true,
          () => false,
        );
        result.observe(isUp ? 1 : 0, { part });
      }),
    );
  });
  meter.createObservableGauge("database_lane_load", { description: "Statements that wait or run." }).addCallback((result) => {
    for (const [lane, load] of Object.entries(lanes)) result.observe(load(), { lane });
  });
  if (lag !== undefined) observeLag(meter, lag);
  if (newWork !== undefined) observeNewWork(meter, newWork);
  meter.createObservableGauge("circuit_breaker_state", { description: "1 for the state the breaker is in." }).addCallback((result) => {
    for (const [breaker, stateNow] of Object.entries(breakers))
      for (const state of ["closed", "open", "half-open"]) result.observe(state === stateNow() ? 1 : 0, { breaker, state });
  });
  if (waiting !== undefined)
    meter
      .createObservableGauge("waiting_items", {
        description: "Dead letters never sent again or refused again, and deliveries of webhooks that wait or failed.",
      })
      .addCallback(async (result) => {
        for (const [kind, count] of Object.entries(await waiting())) result.observe(count, { kind });
      });
  if (outbox === undefined) return;
  const backlog = meter.createObservableGauge("outbox_backlog_messages", { description: "Messages that wait to leave." });
  const oldest = meter.createObservableGauge("outbox_oldest_age_seconds", { description: "The age of the oldest that waits." });
  meter.addBatchObservableCallback(
    async (result) => {
      const { count, oldestAgeSeconds } = await outbox();
      result.observe(backlog, count);
      result.observe(oldest, oldestAgeSeconds);
    },
    [backlog, oldest],
  );
}

function observeNewWork(meter: Meter, read: NonNullable<Watched["newWork"]>): void {
  const limits = meter.createObservableGauge("http_new_work_limit", { description: "How much new work may be under way, by kind." });
  const inFlight = meter.createObservableGauge("http_new_work_in_flight", { description: "How much of it is under way." });
  meter.addBatchObservableCallback(
    (result) => {
      for (const [kind, load] of Object.entries(read())) {
        result.observe(limits, load.limit, { kind });
        result.observe(inFlight, load.inFlight, { kind });
      }
    },
    [limits, inFlight],
  );
}

function observeLag(meter: Meter, read: () => Promise<readonly PartitionLag[]>): void {
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const lag = gauge("kafka_consumer_lag_messages", "Messages up to the end of the partition that a group of the bridge has not done yet.");
  const stable = gauge("kafka_consumer_stable_lag_messages", "Those of them that stand before any open transaction, and so may be read.");
  const removed = gauge("kafka_removed_unread_messages", "Messages that the broker removed before the group had read them, in all.");
  const unreadable = gauge("kafka_partition_unreadable", "1 while the partition cannot be read and is paused.");
  meter.addBatchObservableCallback(
    async (result) => {
      for (const one of await read()) {
        const labels = { topic: one.topic, group: one.group, partition: String(one.partition) };
        result.observe(lag, Number(one.lag), labels);
        result.observe(stable, Number(one.stableLag), labels);
        result.observe(removed, Number(one.removedUnread), labels);
        result.observe(unreadable, one.unreadable === undefined ? 0 : 1, labels);
      }
    },
    [lag, stable, removed, unreadable],
  );
}

/** Metrics that keep nothing. */
export const NO_METRICS: Metrics = {
  request: () => {},
  rateLimited: () => {},
  shed: () => {},
  posted: () => {},
  balancesRead: () => {},
  watch: () => {},
  render: async () => "",
};
