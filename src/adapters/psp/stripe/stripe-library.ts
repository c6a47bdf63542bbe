import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Stripe } from "stripe";
import { plainHost } from "../../../base/url-host.ts";

/**
 * The version of Stripe's API that every request names: its answers keep their form when the account's own version moves on. It is the
 * library's and the one that stripe-mock 0.203.0 checks requests by; the next, 2026-09-30.endive, takes no `payment_method_types`.
 */
const API_VERSION = "2026-08-26.dahlia";

export interface StripeAddress {
  /** A scheme, a host and perhaps a port. */
  readonly url: string;
  readonly secretKey: string;
  readonly timeoutMs: number;
}

/**
 * Stripe's library, loaded with the first use: it costs half a second of processor time and 27 MB in every process, which only those pay
 * that ask Stripe. It retries nothing by itself, and sends nothing about this machine.
 */
export function openStripe({ url, secretKey, timeoutMs }: StripeAddress): () => Promise<Stripe> {
  let opened: Promise<Stripe> | undefined;
  const { protocol, hostname, port } = new URL(url);
  const isPlain = protocol === "http:";
  const agent = isPlain ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true });
  return () =>
    (opened ??= import("stripe").then(
      ({ Stripe: Library }) =>
        new Library(secretKey, {
          apiVersion: API_VERSION,
          protocol: isPlain ? "http" : "https",
          host: plainHost(hostname),
          ...(port === "" ? {} : { port }),
          httpClient: onceOnly(Library.createNodeHttpClient(agent)),
          timeout: timeoutMs,
          maxNetworkRetries: 0,
          telemetry: false,
        }),
    ));
}

type HttpClient = ReturnType<typeof Stripe.createNodeHttpClient>;

/**
 * The client, whose broken connections the library does not know from other failures: it would send the request once more, before what
 * became of the first one is looked up.
 */
function onceOnly(client: HttpClient): HttpClient {
  const { makeRequest } = client;
  client.makeRequest = (...request) =>
    makeRequest.apply(client, request).catch((error: unknown) => {
      throw new Error("the connection to Stripe broke", { cause: error });
    });
  return client;
}
