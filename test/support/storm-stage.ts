import type { ApiClient } from "../../src/cli/kit/api-client.ts";
import type { System } from "../../src/cli/start/system.ts";
import { readRunning } from "../../src/stack/running.ts";
import type { Db } from "../../src/store/postgres/database.ts";

export interface StormOptions {
  readonly orders: number;
  /** The share of requests that the provider answers badly, 0 to 1. */
  readonly rate: number;
  readonly seed: number;
  /** Kills worker, api (which hosts a worker too) and provider at seeded moments while orders are under way. */
  readonly kills: boolean;
  readonly cacheDir: string;
  readonly deadlineMs: number;
  /** How long an order waits for the provider. */
  readonly paymentDeadlineMs: number;
  readonly onNote?: (text: string) => void;
  readonly onKillable?: (kill: () => void) => void;
}

/** A running system in a storm, and the ways to it. */
export interface Stage {
  readonly options: StormOptions;
  readonly system: System;
  readonly db: Db;
  readonly api: ApiClient;
  readonly dataDir: string;
}

/** The process of a role of the system in this folder; undefined while there is none. */
export function pidOf(dataDir: string, role: string): number | undefined {
  return readRunning(dataDir)?.roles.find(({ name }) => name === role)?.pid;
}
