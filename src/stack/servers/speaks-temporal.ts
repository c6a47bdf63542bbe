import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";

/** Which status a gRPC server gives for a method that it does not have. */
const UNIMPLEMENTED = "12";
const EMPTY_MESSAGE = Buffer.alloc(5);

/** True when a Temporal frontend answers at the address, by whatever status, within the time. Never throws. */
export async function speaksTemporal({ host, port }: { host: string; port: number }, timeoutMs: number): Promise<boolean> {
  const session = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
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
    // A refusal stands in the headers, an answer's status in what follows its body.
    request.once("response", (headers) => headers["grpc-status"] !== undefined && finish(headers["grpc-status"]));
    request.once("trailers", (trailers: IncomingHttpHeaders) => finish(trailers["grpc-status"]));
    request.once("error", () => finish());
    request.once("close", () => finish());
    request.resume();
    request.end(EMPTY_MESSAGE);
  });
}
