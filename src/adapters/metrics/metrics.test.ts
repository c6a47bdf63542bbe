import { describe, expect, test } from "vitest";
import { createMetrics } from "./metrics.ts";

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;

/** The samples of an exposition. Throws: Error for a line that is none. */
function parse(text: string): Sample[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name, labels = "", value] = LINE.exec(line) ?? [];
      if (name === undefined || value === undefined || Number.isNaN(Number(value.replace("+Inf", "Infinity"))))
        throw new Error(`no sample: ${line}`);
      return {
        name,
        labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", quoted = ""]) => [label, quoted])),
        value: Number(value),
      };
    });
}

describe("the metrics", () => {
  test("count requests by route, method and status, and their problems by code", async () => {
    const metrics = createMetrics();
    const measure = { route: "/api/v1/orders/{orderId}", method: "GET", seconds: 0.02 };
    metrics.request({ ...measure, status: 200, code: undefined });
    metrics.request({ ...measure, status: 200, code: undefined });
    metrics.request({ ...measure, status: 404, code: "ORDER_NOT_FOUND" });
    metrics.rateLimited("address");
    metrics.posted("deposit", "done");
    metrics.balancesRead("hit", 3);
    metrics.balancesRead("books", 0);
    const samples = parse(await metrics.render());
    const valueOf = (name: string, labels: Record<string, string>) =>
      samples.find((one) => one.name === name && Object.entries(labels).every(([label, text]) => one.labels[label] === text))?.value;
    const duration = "http_server_request_duration_seconds";
    expect(valueOf(`${duration}_count`, { route: measure.route, method: "GET", status: "200" })).toBe(2);
    expect(valueOf(`${duration}_bucket`, { status: "200", le: "0.01" })).toBe(0);
    expect(valueOf(`${duration}_bucket`, { status: "200", le: "0.025" })).toBe(2);
    expect(valueOf("http_server_errors_total", { code: "ORDER_NOT_FOUND" })).toBe(1);
    expect(valueOf("http_server_rate_limited_total", { policy: "address" })).toBe(1);
    expect(valueOf("ledger_posts_total", { type: "deposit", outcome: "done" })).toBe(1);
    expect(valueOf("balance_cache_reads_total", { outcome: "hit" })).toBe(3);
    expect(valueOf("balance_cache_reads_total", { outcome: "books" })).toBeUndefined();
    expect(valueOf("process_resident_memory_bytes", {})).toBeGreaterThan(1_000_000);
  });

  test("tell which parts answer, and leave out what cannot be read", async () => {
    const metrics = createMetrics();
    metrics.watch({
      parts: { postgres: async () => {}, redis: () => Promise.reject(new Error("gone")) },
      outbox: () => Promise.reject(new Error("gone")),
      lag: async () => [
        { topic: "purchases", group: "g", partition: 2, lag: 7n, stableLag: 3n, removedUnread: 5n, unreadable: "packed by nobody" },
      ],
      lanes: { reads: () => 3 },
    });
    const samples = parse(await metrics.render());
    expect(samples.filter(({ name }) => name === "dependency_up").map(({ labels, value }) => [labels["part"], value])).toEqual([
      ["postgres", 1],
      ["redis", 0],
    ]);
    const labels = { topic: "purchases", group: "g", partition: "2" };
    expect(samples.filter(({ name }) => name.startsWith("kafka_")).map(({ name, ...sample }) => [name, sample])).toEqual([
      ["kafka_consumer_lag_messages", { labels, value: 7 }],
      ["kafka_consumer_stable_lag_messages", { labels, value: 3 }],
      ["kafka_removed_unread_messages", { labels, value: 5 }],
      ["kafka_partition_unreadable", { labels, value: 1 }],
    ]);
    expect(samples.find(({ name }) => name === "database_lane_load")).toMatchObject({ labels: { lane: "reads" }, value: 3 });
    expect(samples.some(({ name }) => name.startsWith("outbox_"))).toBe(false);
  });

  test("tell how many messages wait and how old the oldest is", async () => {
    const metrics = createMetrics();
    metrics.watch({ outbox: async () => ({ count: 4, oldestAgeSeconds: 1.5 }) });
    const samples = parse(await metrics.render());
    expect(samples.find(({ name }) => name === "outbox_backlog_messages")?.value).toBe(4);
    expect(samples.find(({ name }) => name === "outbox_oldest_age_seconds")?.value).toBe(1.5);
  });
});
