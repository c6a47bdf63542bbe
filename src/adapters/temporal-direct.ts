import { Connection } from "@temporalio/client";

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A connection for calls that have no worker beside them. It ignores `http_proxy`, `https_proxy` and `grpc_proxy`, as the processes'
 * own connections do: gRPC for Node would ask such a proxy for this machine's own server too (grpc/grpc-node#1453).
 * The caller closes it. Throws: the client's error when Temporal does not answer within 10 s.
 */
export function connectDirectly(address: string): Promise<Connection> {
  return Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT_MS, channelArgs: { "grpc.enable_http_proxy": 0 } });
}
