// For drizzle-kit alone, which makes migrations of all tables; code imports the file of its noun.
export * from "./balance-cache.ts";
export * from "./events.ts";
export * from "./idempotency-answers.ts";
export * from "./identity.ts";
export * from "./leases.ts";
export * from "./ledger.ts";
export * from "./operators.ts";
export * from "./orders.ts";
export * from "./outbox.ts";
export * from "./provider.ts";
export * from "./reports.ts";
export * from "./reservations.ts";
export * from "./services.ts";
export * from "./webhooks.ts";
