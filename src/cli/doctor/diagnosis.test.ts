import { expect, test } from "vitest";
import { diagnose, type Facts } from "./diagnosis.ts";

const ALL: Facts = {
  nodeVersion: "20.20.2",
  programs: { temporal: undefined, go: undefined, java: "/usr/bin/java", mvn: undefined, redis: undefined, docker: undefined },
  javaVersion: "17.0.15",
  cached: { temporal: true, kafka: true, redis: true, timeSkipping: true },
  postgres: { found: "PostgreSQL 18" },
  external: { postgres: false, temporal: false, kafka: false, redis: false, psp: false },
  ports: [{ server: "postgres", variable: "POSTGRES_PORT", port: 5432, free: true }],
  runningPid: undefined,
  configProblems: [],
  clustersWithoutOwner: [],
  formerVariables: [],
};
const NOTHING_CACHED = { temporal: false, kafka: false, redis: false, timeSkipping: false };

function statesOf(facts: Partial<Facts>): Record<string, string> {
  return Object.fromEntries(
    diagnose({ ...ALL, ...facts })
      .filter((finding) => finding.state !== "ok")
      .map((finding) => [finding.name, finding.state]),
  );
}

test("a full cache needs neither Go nor Maven", () => {
  expect(statesOf({})).toEqual({});
});

test("everything that is not in order comes with a remedy", () => {
  const findings = diagnose({
    ...ALL,
    nodeVersion: "20.18.9",
    cached: NOTHING_CACHED,
    programs: { ...ALL.programs, java: undefined },
    postgres: { missing: "none" },
    configProblems: ["HTTP_PORT: wrong"],
    ports: [{ server: "postgres", variable: "POSTGRES_PORT", port: 5432, free: false }],
  });
  expect(findings.filter((finding) => finding.state !== "ok" && finding.remedy === undefined)).toEqual([]);
});

test.each<[string, Partial<Facts>, Record<string, string>]>([
  ["an old Node", { nodeVersion: "20.18.9" }, { Node: "missing" }],
  ["a newer major of Node", { nodeVersion: "24.0.0" }, {}],
  ["no Postgres", { postgres: { missing: "none" } }, { Postgres: "missing" }],
  ["no Postgres but an address", { postgres: { missing: "none" }, external: { ...ALL.external, postgres: true } }, {}],
  [
    "an address at which no Postgres answers",
    { database: { trouble: "away", isPooled: false, hasAdminUrl: true } },
    { Postgres: "missing" },
  ],
  [
    "payload keys that cannot be used",
    { payloads: { trouble: "every user of this machine may read it" } },
    { "Payload encryption": "missing" },
  ],
  ["payload keys that are in force", { payloads: { words: "required: written with the key k1" } }, {}],
  [
    "a payment provider that is away",
    { reached: [{ server: "Payment provider", address: "127.0.0.1:8090", trouble: "connect ECONNREFUSED" }] },
    { "Payment provider": "warning" },
  ],
  [
    "TLS that does not come about",
    { tls: [{ server: "Kafka", trouble: "it asks for a client certificate", endsAt: undefined }] },
    { "TLS of Kafka": "missing" },
  ],
  [
    "a certificate that ends soon",
    { tls: [{ server: "Redis", trouble: undefined, endsAt: new Date(Date.now() + 86_400_000) }] },
    { "TLS of Redis": "warning" },
  ],
  ["a certificate that lives long", { tls: [{ server: "Redis", trouble: undefined, endsAt: new Date("2999-01-01") }] }, {}],
  ["a pooler and no way past it", { database: { trouble: undefined, isPooled: true, hasAdminUrl: false } }, { Postgres: "warning" }],
  ["a pooler and a way past it", { database: { trouble: undefined, isPooled: true, hasAdminUrl: true } }, {}],
  ["nothing to get Temporal with", { cached: { ...ALL.cached, temporal: false } }, { Temporal: "missing" }],
  [
    "Go to build Temporal with",
    { cached: { ...ALL.cached, temporal: false }, programs: { ...ALL.programs, go: "/go" } },
    { Temporal: "warning" },
  ],
  ["no Java: no Kafka, the rest runs", { programs: { ...ALL.programs, java: undefined } }, { Java: "warning", Kafka: "warning" }],
  ["an old Java", { javaVersion: "11.0.2" }, { Java: "warning" }],
  [
    "no Maven and an empty cache",
    { cached: { ...NOTHING_CACHED, temporal: true } },
    { Maven: "warning", Kafka: "warning", Redis: "warning", "Temporal test server": "warning" },
  ],
  ["a variable of the earlier service", { formerVariables: ["DB_HOST"] }, { "Earlier settings": "warning" }],
  [
    "a cluster whose data folder is gone",
    { clustersWithoutOwner: [{ folder: "/var/tmp/saldo/data-x", dataDir: "/mnt/data" }] },
    { "Old Postgres data": "warning" },
  ],
  ["a taken port", { ports: [{ server: "postgres", variable: "POSTGRES_PORT", port: 5432, free: false }] }, { "Port 5432": "missing" }],
  [
    "ports taken by Saldo itself",
    { runningPid: 42, ports: [{ server: "postgres", variable: "POSTGRES_PORT", port: 5432, free: false }] },
    {},
  ],
  [
    "a taken port of a server that runs elsewhere",
    { external: { ...ALL.external, postgres: true }, ports: [{ server: "postgres", variable: "POSTGRES_PORT", port: 5432, free: false }] },
    {},
  ],
  [
    "a taken port of the payment provider",
    { ports: [{ server: "psp", variable: "PSP_PORT", port: 8090, free: false }] },
    { "Port 8090": "missing" },
  ],
  [
    "the port of a payment provider that is another house's",
    { external: { ...ALL.external, psp: true }, ports: [{ server: "psp", variable: "PSP_PORT", port: 8090, free: false }] },
    {},
  ],
  ["a wrong configuration", { configProblems: ["HTTP_PORT: wrong"] }, { Configuration: "missing" }],
])("%s", (_name, facts, states) => {
  expect(statesOf(facts)).toEqual(states);
});
