import type { RoleAddresses, RoleEntries } from "./roles.ts";
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

/** Applies the migrations, and makes topics, signing keys and schedules, side by side. Throws: SERVER_FAILED of the first step that fails. */
export async function prepareServers(
  steps: SystemSteps,
  step: StepRunner,
  { addresses, keysDir }: { readonly addresses: RoleAddresses; readonly keysDir: string },
): Promise<void> {
  const { databaseAdminUrl: adminUrl, databaseUrl: appUrl, temporalAddress, temporalNamespace: namespace, kafkaBrokers } = addresses;
  await Promise.all([
    step(
      "Migrations",
      "applying",
      () => steps.migrate({ adminUrl, appUrl }),
      ({ applied }) => (applied === 0 ? "up to date" : `${applied} applied`),
    ),
    kafkaBrokers === undefined
      ? undefined
      : step(
          "Kafka topics",
          "creating",
          () => steps.ensureTopics(kafkaBrokers),
          () => "ready",
        ),
    step(
      "Signing keys",
      "making",
      () => steps.ensureSigningKey(keysDir),
      ({ made }) => (made ? "made" : "ready"),
    ),
    step(
      "Schedules",
      "creating",
      () => steps.ensureSchedules({ temporalAddress, namespace }),
      () => "ready",
    ),
  ]);
}
