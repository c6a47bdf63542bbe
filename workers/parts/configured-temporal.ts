import { Client } from "@temporalio/client";
import { openPayloadProtection } from "../../src/adapters/payload-codec/payload-protection.ts";
import { converterOf } from "../../src/adapters/temporal/temporal-converter.ts";
import { connectDirectly } from "../../src/adapters/temporal/temporal-direct.ts";
import type { TemporalServer } from "../../src/adapters/temporal/temporal-server.ts";
import type { Config } from "../../src/config.ts";
import { temporalSecurity } from "../../src/config/server-variables.ts";

/** Short, so that a role that waits for Temporal still obeys an order to stop soon. */
export const CONNECT_ATTEMPT_MS = 3_000;
const DEFAULT_ADDRESS = "127.0.0.1:7233";

/** The configured Temporal. Without an address it is the one of this machine. */
export function temporalServer(config: Config): TemporalServer {
  return { address: config.TEMPORAL_ADDRESS ?? DEFAULT_ADDRESS, ...temporalSecurity(config) };
}

/** A client of Temporal without workers beside it. */
export interface TemporalClient {
  readonly client: Client;
  close(): Promise<void>;
}

/**
 * Connects to the configured Temporal for a process that runs no workflows: nothing of the worker's library is loaded, native code least.
 * Throws: UNAVAILABLE or the client's error when Temporal does not answer within `CONNECT_ATTEMPT_MS`, PayloadKeysError.
 */
export async function connectTemporalClient(config: Config): Promise<TemporalClient> {
  const protection = openPayloadProtection(config);
  const connection = await connectDirectly(temporalServer(config), CONNECT_ATTEMPT_MS);
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE, ...converterOf(protection) });
  return { client, close: () => connection.close() };
}
