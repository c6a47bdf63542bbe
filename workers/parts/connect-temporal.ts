import type { Logger } from "../../src/adapters/logger.ts";
import { openPayloadProtection } from "../../src/adapters/payload-codec/payload-protection.ts";
import { createTemporal, type TemporalLink } from "../../src/adapters/temporal/temporal.ts";
import { DomainError, messageOf } from "../../src/base/errors.ts";
import type { Config } from "../../src/config.ts";
import { CONNECT_ATTEMPT_MS, temporalServer } from "./configured-temporal.ts";

/** Connects to the configured Temporal. Throws: UNAVAILABLE when it does not come up within `deadlineMs`, PayloadKeysError. */
export async function connectTemporal(config: Config, logger: Logger, deadlineMs: number): Promise<TemporalLink> {
  const protection = openPayloadProtection(config);
  return createTemporal({ ...temporalServer(config), namespace: config.TEMPORAL_NAMESPACE, protection, deadlineMs, logger });
}

/** Connects to the configured Temporal, however long it is away. Undefined when the signal aborts first. */
export async function connectUntilAborted(config: Config, logger: Logger, signal: AbortSignal): Promise<TemporalLink | undefined> {
  while (!signal.aborted) {
    try {
      return await connectTemporal(config, logger, CONNECT_ATTEMPT_MS);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      logger.warn({ event: "temporal.away", reason: messageOf(error) }, "Temporal is not there yet");
    }
  }
  return undefined;
}
