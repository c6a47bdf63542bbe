import type { RoleEntries } from "./role-entries.ts";
import type { RoleAddresses } from "./roles.ts";
import type { StepRunner } from "./start-progress.ts";

/** The steps between the start of the servers and the start of the roles. Each is safe to retry. */
export type SystemSteps = {
  migrate(addresses: { adminUrl: string; appUrl: string }): Promise<{ applied: number }>;
  buildWorkflowBundle(cacheDir: string): Promise<string>;
  compileRoles(entries: RoleEntries, cacheDir: string): Promise<RoleEntries>;
  ensureTopics(brokers: readonly string[]): Promise<void>;
  ensureSchedules(addresses: { temporalAddress: string; namespace: string }): Promise<void>;
  ensureSigningKey(keysDir: string): Promise<{ readonly made: boolean }>;
};

/** The steps under way. Each rejects with SERVER_FAILED when it fails. */
export interface Preparation {
  /** Migrations and signing keys: what every role needs. */
  readonly books: Promise<unknown>;
  /** The topics, which the roles that read and write Kafka need. */
  readonly topics: Promise<unknown>;
  /** All of it, the schedules too. */
  readonly all: Promise<unknown>;
}

/** Makes the signing keys. A first one takes up to some seconds of processor. */
export function prepareKeys(steps: SystemSteps, step: StepRunner, keysDir: string): Promise<unknown> {
  const keys = step(
    "Signing keys",
    "making",
    () => steps.ensureSigningKey(keysDir),
    ({ made }) => (made ? "made" : "ready"),
  );
  keys.catch(() => undefined);
  return keys;
}

/** Begins to apply the migrations and to make topics and schedules, side by side, while `keys` are made. */
export function prepareServers(
  steps: SystemSteps,
  step: StepRunner,
  { addresses, keys }: { readonly addresses: RoleAddresses; readonly keys: Promise<unknown> },
): Preparation {
  const { databaseAdminUrl: adminUrl, databaseUrl: appUrl, temporalAddress, temporalNamespace: namespace, kafkaBrokers } = addresses;
  const migrations = step(
    "Migrations",
    "applying",
    () => steps.migrate({ adminUrl, appUrl }),
    ({ applied }) => (applied === 0 ? "up to date" : `${applied} applied`),
  );
  const topics =
    kafkaBrokers === undefined
      ? Promise.resolve()
      : step(
          "Kafka topics",
          "creating",
          () => steps.ensureTopics(kafkaBrokers),
          () => "ready",
        );
  const schedules = step(
    "Schedules",
    "creating",
    () => steps.ensureSchedules({ temporalAddress, namespace }),
    () => "ready",
  );
  const preparation = { books: Promise.all([migrations, keys]), topics, all: Promise.all([migrations, topics, keys, schedules]) };
  // The first failure ends the start, and the others are then of no interest.
  for (const part of Object.values(preparation)) part.catch(() => undefined);
  return preparation;
}
