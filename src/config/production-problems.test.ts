import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { productionProblems } from "./production-problems.ts";

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PAGES = [
  ".env.example",
  "README.md",
  ...readdirSync(fileOf("docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];
const TEXT = PAGES.map((path) => readFileSync(fileOf(path), "utf8")).join("\n");

const refusedIn = (given: Record<string, string>) =>
  [...productionProblems({ NODE_ENV: "production", ...given }, {})].map(([name]) => name);

/** What a page shows as a value, such as `KAFKA_SASL_PASSWORD=the-secret`; one that ends in dots shows that something is left out. */
const shown = (pattern: RegExp) => [...TEXT.matchAll(pattern)].map(([, name = "", value = ""]) => [name, value] as const);

test("every secret that .env.example or a page shows is refused in a production", () => {
  const secrets = shown(/\b([A-Z_]*(?:SASL_PASSWORD|REDIS_PASSWORD|TEMPORAL_DB_PASSWORD|PSP_API_KEY|METRICS_TOKEN))=([^\s`,]+)/g);
  expect(secrets.map(([name]) => name)).toEqual(
    expect.arrayContaining(["PSP_API_KEY", "METRICS_TOKEN", "KAFKA_SASL_PASSWORD", "REDIS_PASSWORD"]),
  );
  for (const [name, value] of secrets) expect([name, value, refusedIn({ [name]: value })]).toEqual([name, value, [name]]);
  const addresses = shown(/\b(DATABASE_URL|DATABASE_ADMIN_URL|REDIS_URL)=(\w+:\/\/\w*:[^@\s]+@[^\s`]+)/g).filter(([, value]) =>
    URL.canParse(value),
  );
  expect(addresses.length).toBeGreaterThan(2);
  for (const [name, value] of addresses) expect([value, refusedIn({ [name]: value })]).toEqual([value, [name]]);
});

test("a provider's key that nobody is shown is not looked at", () => {
  const example = { PSP_API_KEY: "change-me-payment-provider" };
  expect(refusedIn(example)).toEqual(["PSP_API_KEY"]);
  for (const kind of ["stripe", "none"]) expect(refusedIn({ ...example, PSP_KIND: kind })).toEqual([]);
});

test("a production that takes no cards says so and names no provider", () => {
  const problems = (given: Record<string, string>) => [...productionProblems({ NODE_ENV: "production", ...given }, { pays: true })];
  expect(problems({ PSP_KIND: "none" })).toEqual([]);
  expect(problems({ PSP_KIND: "none", PSP_URL: "http://psp:8090" })).toEqual([]);
  expect(problems({})).toEqual([["PSP_KIND", expect.stringContaining("or PSP_KIND=none where no cards are taken")]]);
});
