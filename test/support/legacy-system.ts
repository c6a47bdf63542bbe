import type { Log } from "../../src/adapters/log.ts";
import type { Psp } from "../../src/adapters/psp/psp.ts";
import type { ApiSettings } from "../../src/api/deps.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { listen } from "../../src/api/http/http-server.ts";
import type { Starters } from "../../src/starters/index.ts";
import { createTestApi, type TestApi } from "./http-api.ts";
import { sendRaw, type RawAnswer } from "./raw-http.ts";

export interface LegacyApi {
  readonly api: TestApi;
  readonly port: number;
  /** Sends over a raw socket. `body` is JSON text, or a value that is written as JSON. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string | undefined>): Promise<RawAnswer>;
  close(): Promise<void>;
}

/** The app behind a listener on a free port, as in the role api. */
export async function startLegacyApi(options: {
  readonly databaseUrl: string;
  readonly starters?: Partial<Starters>;
  readonly authenticator?: Authenticator;
  readonly settings?: Partial<ApiSettings>;
  readonly psp?: Psp;
  readonly log?: Log;
  readonly deadlineMs?: number;
}): Promise<LegacyApi> {
  const api = createTestApi(options);
  const server = await listen(api.app, { host: "127.0.0.1", port: 0 });
  return {
    api,
    port: server.port,
    send: (method, path, body, headers) =>
      sendRaw(server.port, {
        method,
        path,
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        ...(headers === undefined ? {} : { headers }),
      }),
    async close() {
      await server.close(1_000);
      await api.close();
    },
  };
}
