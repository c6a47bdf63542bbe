import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createPsp, type HttpPsp, type PspOptions } from "../../src/adapters/psp/psp-http.ts";
import type { CardDetails, PspStep } from "../../src/adapters/psp/psp.ts";
import { TEST_CARDS } from "../../src/psp-simulator/test-cards.ts";
import { startPspSimulator, type TestPsp } from "./psp.ts";

export const CARD: CardDetails = { number: "4242424242424242", expiry: "12/39", cvc: "987", holderName: "Ada Lovelace" };

/** A provider of its own, and what a test of its client needs around it. */
export interface PspBench {
  readonly provider: TestPsp;
  /** The waits of the connected clients in their order, in milliseconds. */
  readonly delays: readonly number[];
  /** A client of the provider. Its waits pass at once and are noted in `delays`, with no jitter unless said. */
  connect(options?: Partial<PspOptions>): HttpPsp;
  /** What the provider was asked under the key, in order. */
  callsOf(key: string): string[];
  /** Starts another server for the provider's place. */
  answering(...statuses: readonly number[]): Promise<AnsweringServer>;
  close(): Promise<void>;
}

/** A server that answers each request with the next status, and with the last for ever. */
export interface AnsweringServer {
  readonly url: string;
  /** How many requests came. */
  count(): number;
  /** Takes other statuses from now on. */
  now(...next: readonly number[]): void;
}

/** Starts the provider. `close` stops it and the servers of `answering`. */
export async function startPspBench(): Promise<PspBench> {
  const provider = await startPspSimulator();
  const delays: number[] = [];
  const servers: Server[] = [];
  return {
    provider,
    delays,
    connect: (options = {}) =>
      createPsp({
        url: provider.url,
        apiKey: provider.apiKey,
        timeoutMs: 250,
        logger: SILENT_LOG,
        random: () => 0.5,
        sleep: async (ms) => void delays.push(ms),
        ...options,
      }),
    callsOf: (key) =>
      provider
        .book()
        .calls.filter((call) => call.key === key)
        .map((call) => call.step),
    async answering(...statuses) {
      const { server, ...answering } = await startAnswering(statuses);
      servers.push(server);
      return answering;
    },
    async close() {
      await provider.stop();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

/** A money step under the key, whose order is the part before the colon. */
export function step(key: string, amountMinor = 10_050n): PspStep {
  return { key, orderId: key.split(":")[0] ?? key, amountMinor, currency: "RUB" };
}

/** The number of a test card of the simulator. */
export function numberOf(name: string): string {
  return TEST_CARDS.find((card) => card.name === name)?.number ?? "";
}

/** Authorises a payment of the order and answers with the key of its authorisation. */
export async function authorised(psp: HttpPsp, orderId: string, number = CARD.number): Promise<string> {
  const { token } = await psp.tokenise({ ...CARD, number });
  await psp.authorise({ ...step(`${orderId}:authorise`), cardToken: token });
  return `${orderId}:authorise`;
}

async function startAnswering(statuses: readonly number[]): Promise<AnsweringServer & { readonly server: Server }> {
  let left = [...statuses];
  let count = 0;
  const server = createServer((_request, response) => {
    count += 1;
    const status = left.length > 1 ? left.shift() : left[0];
    if (status === undefined) return;
    const payment = {
      key: "k",
      kind: "authorise",
      status: "approved",
      reference: "r",
      orderId: "o",
      amountMinor: "10050",
      currency: "RUB",
    };
    response.writeHead(status, { "content-type": "application/json", ...(status === 302 ? { location: "/elsewhere" } : {}) });
    response.end(
      JSON.stringify(status === 200 ? payment : { error: { code: status === 404 ? "not_found" : "unavailable", message: "x" } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    now: (...next) => {
      left = [...next];
    },
  };
}
