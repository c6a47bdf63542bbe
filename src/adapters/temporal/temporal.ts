import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@temporalio/client";
import { NativeConnection } from "@temporalio/worker";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import type { PayloadProtection } from "../payload-codec/payload-protection.ts";
import { converterOf } from "./temporal-converter.ts";
import { temporalTarget, temporalTlsTrouble, type TemporalServer } from "./temporal-server.ts";

/** One connection for a process's client and its worker: only then can Temporal hand a workflow to the process that started it (eager workflow start). */
export interface TemporalLink {
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly namespace: string;
  /** How the client encrypts payloads, for the workers beside it; undefined where Temporal keeps everything in the open. */
  readonly protection: PayloadProtection | undefined;
  close(): Promise<void>;
}

export interface TemporalOptions extends TemporalServer {
  readonly namespace: string;
  readonly protection?: PayloadProtection | undefined;
  /** How long to wait for a server that is not up yet, in milliseconds. */
  readonly deadlineMs: number;
  readonly logger: Log;
}

const RETRY_MS = 500;

/** Connects to Temporal, waiting for it to come up. Throws: UNAVAILABLE when it did not within `deadlineMs`, with the reason when that is TLS. */
export async function createTemporal(options: TemporalOptions): Promise<TemporalLink> {
  const { namespace, address, protection } = options;
  const untilMs = Date.now() + options.deadlineMs;
  for (;;) {
    try {
      const connection = await NativeConnection.connect(temporalTarget(options));
      // Queries of closed workflows are rejected: each would replay a history to tell what Postgres knows, and a terminated workflow
      // would still answer that it holds the money.
      const client = new Client({ connection, namespace, ...converterOf(protection), workflow: { queryRejectCondition: "NOT_OPEN" } });
      return { connection, client, namespace, protection, close: () => connection.close() };
    } catch (error) {
      if (Date.now() >= untilMs) {
        const trouble = await temporalTlsTrouble(options);
        throw new DomainError(
          "UNAVAILABLE",
          trouble === undefined
            ? `Temporal does not answer at ${address}: ${messageOf(error)}`
            : `Temporal at ${address} cannot be spoken to over TLS: ${trouble}`,
          {},
          error,
        );
      }
      options.logger.warn({ event: "temporal.waiting", address }, "waiting for Temporal");
      await sleep(RETRY_MS);
    }
  }
}
