import { createHmac } from "node:crypto";
import { lookup as resolveName } from "node:dns";
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";

export interface WebhookSenderOptions {
  /** Whether events may go to an IP address. Asked for each address that a name resolves to, and for the one that was connected to. */
  readonly mayConnectTo: (address: string) => boolean;
  readonly allowHttp: boolean;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly nowMs: () => number;
  /** How names are resolved; the system's way unless a test has its own. */
  readonly resolve?: typeof resolveName;
}

/** What a receiver answered; `error` is why there is no status, in words that hold nothing of what was sent. */
export interface ReceiverAnswer {
  readonly status: number | undefined;
  readonly error: string | undefined;
}

/** The receiver stands where events are not sent. */
class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";
}

/** The whole exchange took longer than it may. */
class TooSlow extends Error {
  override readonly name = "TooSlow";
}

/** Of an answer nothing is kept; so much of it is taken before the connection is cut. */
const MAX_ANSWER_BYTES = 16_384;

/**
 * The signature header of the Standard Webhooks convention: for each secret (`whsec_` and base64) HMAC-SHA256 over `id.timestamp.body`.
 * `timestamp` is in seconds.
 */
export function signWebhook(message: {
  readonly id: string;
  readonly timestamp: number;
  readonly body: string;
  readonly secrets: readonly string[];
}): string {
  const content = `${message.id}.${message.timestamp}.${message.body}`;
  return message.secrets
    .map(
      (secret) =>
        `v1,${createHmac("sha256", Buffer.from(secret.replace(/^whsec_/, ""), "base64"))
          .update(content)
          .digest("base64")}`,
    )
    .join(" ");
}

/**
 * Sends signed messages. A name is resolved once and one of the addresses that were checked is connected to, against DNS rebinding: a name
 * that resolves to another address for the connection than for the check. Redirects are not followed.
 */
export function createWebhookSender(options: WebhookSenderOptions) {
  const { mayConnectTo, timeoutMs, nowMs, userAgent, resolve = resolveName } = options;

  const lookup: LookupFunction = (hostname, wanted, answer) => {
    resolve(hostname, { ...wanted, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found : [];
      const allowed = addresses.filter(({ address }) => mayConnectTo(address));
      const [first] = allowed;
      if (error !== null) return answer(error, "", 0);
      // A forbidden address among allowed ones is an attack or a mistake; both are refused.
      if (first === undefined || allowed.length < addresses.length)
        return answer(new ForbiddenAddress("the receiver's name resolves to an address that events are not sent to"), "", 0);
      return wanted.all === true ? answer(null, allowed) : answer(null, first.address, first.family);
    });
  };

  const exchange = (message: { readonly url: URL; readonly headers: Record<string, string>; readonly body: string }): Promise<number> =>
    new Promise((settle, fail) => {
      const isTls = message.url.protocol === "https:";
      const request: ClientRequest = (isTls ? https : http).request(message.url, {
        method: "POST",
        headers: message.headers,
        lookup,
        // A connection for this message alone: a kept one was checked for another message.
        agent: false,
      });
      // A timer of its own: Node's time-outs of the request do not see every answer that never ends.
      const clock = setTimeout(() => end(() => fail(new TooSlow())), timeoutMs);
      const end = (outcome: () => void) => {
        clearTimeout(clock);
        outcome();
        request.destroy();
      };
      const failed = (error: unknown) => end(() => fail(error));
      request.on("socket", (socket) => {
        socket.on("connect", () => {
          if (!mayConnectTo(socket.remoteAddress ?? "")) failed(new ForbiddenAddress("events are not sent to this address"));
        });
      });
      request.on("error", failed);
      request.on("upgrade", (response, socket) => {
        // After an upgrade the socket belongs to the request no more and would stay open.
        socket.destroy();
        end(() => settle(response.statusCode ?? 0));
      });
      request.on("response", (response: IncomingMessage) => {
        let bytes = 0;
        const done = () => end(() => settle(response.statusCode ?? 0));
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) done();
        });
        response.on("end", done);
        response.on("error", failed);
      });
      request.on("close", () => failed(new Error("the connection was closed without an answer")));
      request.end(message.body);
    });

  return {
    /** Sends one message once. What the other side does is an answer, never thrown. */
    async send(message: {
      readonly url: string;
      readonly id: string;
      readonly body: string;
      readonly secrets: readonly string[];
    }): Promise<ReceiverAnswer> {
      const { id, body, secrets } = message;
      try {
        const url = new URL(message.url);
        const host = url.hostname.replace(/^\[|\]$/g, "");
        // Node asks `lookup` for names only.
        if (isIP(host) !== 0 && !mayConnectTo(host)) throw new ForbiddenAddress("events are not sent to this address");
        if (url.protocol !== "https:" && !options.allowHttp) throw new ForbiddenAddress("events are sent by https only");
        const timestamp = Math.floor(nowMs() / 1_000);
        const headers = {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(body)),
          "user-agent": userAgent,
          "webhook-id": id,
          "webhook-timestamp": String(timestamp),
          "webhook-signature": signWebhook({ id, timestamp, body, secrets }),
        };
        return { status: await exchange({ url, headers, body }), error: undefined };
      } catch (error) {
        return { status: undefined, error: wordsOf(error, timeoutMs) };
      }
    },
  };
}

function wordsOf(error: unknown, timeoutMs: number): string {
  if (error instanceof ForbiddenAddress) return error.message;
  if (error instanceof TooSlow) return `the receiver did not answer within ${timeoutMs / 1_000} s`;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return `the receiver could not be reached (${code})`;
}
