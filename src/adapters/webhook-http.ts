import { createHmac } from "node:crypto";
import { lookup as resolveName } from "node:dns";
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { plainHost } from "../base/url-host.ts";

export interface WebhookSenderOptions {
  /** Whether events may go to an IP address. Called with the addresses that a name resolves to, and with the connected address. */
  readonly mayConnectTo: (address: string) => boolean;
  readonly allowHttp: boolean;
  /** The deadline of the whole exchange. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly nowMs: () => number;
  /** How names are resolved: by the system, unless a test gives its own function. */
  readonly resolve?: typeof resolveName;
}

/** The answer of a receiver. Without one `status` is undefined and `error` says why, in words that hold nothing of what was sent. */
export interface ReceiverAnswer {
  readonly status: number | undefined;
  readonly error: string | undefined;
  /** The answer's `Retry-After`, verbatim. */
  readonly retryAfter?: string;
}

/** The receiver has an address that events are not sent to. */
class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";
}

/** The whole exchange took longer than it may. */
class TooSlow extends Error {
  override readonly name = "TooSlow";
}

/**
 * An answer's body is neither kept nor waited for. So that an honest receiver can end its answer, the connection is cut only after this
 * many bytes of the body, or after this time.
 */
const MAX_ANSWER_BYTES = 16_384;
const ANSWER_GRACE_MS = 1_000;

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
 * A sender of signed messages. It resolves a receiver's name once, checks the addresses and connects to one of the checked ones, so that
 * DNS rebinding cannot lead it to another address in between. It follows no redirects.
 */
export function createWebhookSender(options: WebhookSenderOptions) {
  const { mayConnectTo, timeoutMs, nowMs, userAgent, resolve = resolveName } = options;
  const lookup = checkedLookup(resolve, mayConnectTo);

  return {
    /** Sends one message once. Whatever the receiver does is an answer, never thrown. */
    async send(message: {
      readonly url: string;
      readonly id: string;
      readonly body: string;
      readonly secrets: readonly string[];
    }): Promise<ReceiverAnswer> {
      const { id, body, secrets } = message;
      try {
        const url = new URL(message.url);
        const host = plainHost(url.hostname);
        // Node calls `lookup` for names only.
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
        return { ...(await exchange({ url, headers, body }, { lookup, mayConnectTo, timeoutMs })), error: undefined };
      } catch (error) {
        return { status: undefined, error: wordsOf(error, timeoutMs) };
      }
    },
  };
}

function checkedLookup(resolve: typeof resolveName, mayConnectTo: WebhookSenderOptions["mayConnectTo"]): LookupFunction {
  return (hostname, wanted, answer) => {
    resolve(hostname, { ...wanted, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found : [];
      const allowed = addresses.filter(({ address }) => mayConnectTo(address));
      const [first] = allowed;
      if (error !== null) return answer(error, "", 0);
      // A forbidden address among allowed ones is an attack or a mistake: the name as a whole is refused.
      if (first === undefined || allowed.length < addresses.length)
        return answer(new ForbiddenAddress("the receiver's name resolves to an address that events are not sent to"), "", 0);
      return wanted.all === true ? answer(null, allowed) : answer(null, first.address, first.family);
    });
  };
}

type Head = Required<Pick<ReceiverAnswer, "status">> & Pick<ReceiverAnswer, "retryAfter">;

/** Posts one message on a connection of its own, and returns the head of the answer as soon as it is there: the status decides. */
function exchange(
  message: { readonly url: URL; readonly headers: Record<string, string>; readonly body: string },
  { lookup, mayConnectTo, timeoutMs }: Pick<WebhookSenderOptions, "mayConnectTo" | "timeoutMs"> & { readonly lookup: LookupFunction },
): Promise<Head> {
  return new Promise((settle, fail) => {
    const isTls = message.url.protocol === "https:";
    const request: ClientRequest = (isTls ? https : http).request(message.url, {
      method: "POST",
      headers: message.headers,
      lookup,
      // A kept connection was checked for another message.
      agent: false,
    });
    // A timer, because not every end of an exchange in Node is an event of the request.
    const clock = setTimeout(() => failed(new TooSlow()), timeoutMs);
    const failed = (error: unknown) => {
      clearTimeout(clock);
      fail(error);
      request.destroy();
    };
    const answered = ({ statusCode, headers }: IncomingMessage) => {
      clearTimeout(clock);
      const retryAfter = headers["retry-after"];
      settle({ status: statusCode ?? 0, ...(retryAfter === undefined ? {} : { retryAfter }) });
    };
    request.on("socket", (socket) => {
      socket.on("connect", () => {
        if (!mayConnectTo(socket.remoteAddress ?? "")) failed(new ForbiddenAddress("events are not sent to this address"));
      });
    });
    request.on("error", failed);
    request.on("upgrade", (response, socket) => {
      // An upgraded socket no longer belongs to the request: `destroy` of the request would leave it open.
      socket.destroy();
      answered(response);
    });
    request.on("response", (response: IncomingMessage) => {
      answered(response);
      let bytes = 0;
      const cut = () => request.destroy();
      const grace = setTimeout(cut, ANSWER_GRACE_MS).unref();
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) cut();
      });
      response.on("error", () => {});
      response.on("close", () => {
        clearTimeout(grace);
        cut();
      });
    });
    request.on("close", () => failed(new Error("the connection was closed without an answer")));
    request.end(message.body);
  });
}

function wordsOf(error: unknown, timeoutMs: number): string {
  if (error instanceof ForbiddenAddress) return error.message;
  if (error instanceof TooSlow) return `the receiver did not answer within ${timeoutMs / 1_000} s`;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return `the receiver could not be reached (${code})`;
}
