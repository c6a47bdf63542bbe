import type { Config } from "../../src/config.ts";

/** The whole system that is measured, by its addresses. */
export interface MeasuredSystem {
  /** The configuration that the roles have. */
  readonly config: Config;
  readonly apiUrl: string;
  /** A token of the role service. */
  readonly token: string;
  readonly databaseUrl: string;
  readonly adminUrl: string;
  readonly temporalAddress: string;
  readonly brokers: readonly string[];
  /** What a further process of the system has in its environment. */
  readonly environment: Readonly<Record<string, string>>;
}
