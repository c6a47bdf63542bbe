import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import { tlsFrom, type TlsFiles } from "../../base/tls-files.ts";
import { urlHost } from "../../base/url-host.ts";

/** The status by which a gRPC server refuses a method that it does not have. */
const UNIMPLEMENTED = "12";
const EMPTY_MESSAGE = Buffer.alloc(5);

/** True when a Temporal frontend answers at the address within the time, with any status. Never throws. */
export async function speaksTemporal({ host, port }: { host: string; port: number }, timeoutMs: number, tls?: TlsFiles): Promise<boolean> {
  const place = `${urlHost(host)}:${port}`;
  const session = tls === undefined ? connect(`http://${place}`) : connect(`https://${place}`, tlsFrom(tls, host));
  try {
    const status = await askForStatus(session, timeoutMs);
    return status !== undefined && status !== UNIMPLEMENTED;
  } finally {
    session.destroy();
  }
}

function askForStatus(session: ClientHttp2Session, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    const finish = (status?: unknown) => {
      clearTimeout(timer);
      resolve(typeof status === "string" ? status : undefined);
    };
    session.once("error", () => finish());
    session.once("close", () => finish());
    const request = session.request({
      ":method": "POST",
      ":path": "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo",
      "content-type": "application/grpc",
      te: "trailers",
    });
    // gRPC sends the status of a refusal in the headers, and the status of an answer in the trailers.
    request.once("response", (headers) => headers["grpc-status"] !== undefined && finish(headers["grpc-status"]));
    request.once("trailers", (trailers: IncomingHttpHeaders) => finish(trailers["grpc-status"]));
    request.once("error", () => finish());
    request.once("close", () => finish());
    request.resume();
    request.end(EMPTY_MESSAGE);
  });
}
