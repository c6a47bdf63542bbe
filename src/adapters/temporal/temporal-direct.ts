import { Connection } from "@temporalio/client";
import { DomainError } from "../../base/errors.ts";
import { temporalTarget, temporalTlsTrouble, type TemporalServer } from "./temporal-server.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A connection for calls that have no worker beside them. It ignores `http_proxy`, `https_proxy` and `grpc_proxy`, as the processes'
 * own connections do: gRPC for Node would ask such a proxy for this machine's own server too (grpc/grpc-node#1453).
 * The caller closes it. Throws: UNAVAILABLE with the reason when TLS does not come about; the client's error when Temporal does not
 * answer within `timeoutMs`.
 */
export async function connectDirectly(server: TemporalServer, timeoutMs = CONNECT_TIMEOUT_MS): Promise<Connection> {
  let connection: Connection | undefined;
  try {
    connection = Connection.lazy({
      ...temporalTarget(server),
      connectTimeout: timeoutMs,
      channelArgs: { "grpc.enable_http_proxy": 0 },
    });
    await connection.ensureConnected();
    return connection;
  } catch (error) {
    // Its channel would go on trying for ever, beside that of the next attempt.
    await connection?.close();
    const reason = await temporalTlsTrouble(server);
    if (reason === undefined) throw error;
    throw new DomainError("UNAVAILABLE", `Temporal at ${server.address} cannot be spoken to over TLS: ${reason}`, {}, error);
  }
}
