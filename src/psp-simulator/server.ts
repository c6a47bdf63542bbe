import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { domainErrorIn } from "../base/errors.ts";
import { matcherOf } from "../base/same-secret.ts";
import { refused, type Answer } from "./provider-answers.ts";
import type { Provider } from "./provider.ts";
import { scriptSchema } from "./scripts.ts";
import { cardBodySchema, keySchema, paymentBodySchemas, type PaymentKind, type PaymentRequest } from "./wire.ts";

const MAX_BODY_BYTES = 16_384;

/** The provider's HTTP server. An unexpected error goes to `onBroken` and is answered with 500. */
export function createPspServer(deps: {
  readonly provider: Provider;
  readonly apiKey: string;
  readonly onBroken: (error: unknown) => void;
}): Server {
  const isKey = matcherOf(deps.apiKey);
  const isAllowed = (request: IncomingMessage) => isKey(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
  return createServer((request, response) => {
    const path = request.url?.split("?")[0] ?? "/";
    if (path === "/healthz") return send(response, { status: 200, body: { status: "ok" } });
    if (!isAllowed(request)) return send(response, refused(401, "unauthorised", "the API key is missing or wrong"));
    answer(deps.provider, request, path)
      .catch((error: unknown) => {
        const expectedError = domainErrorIn(error);
        if (expectedError !== undefined)
          return refused(422, expectedError.code.toLowerCase(), expectedError.message, expectedError.details["pointer"]);
        deps.onBroken(error);
        return refused(500, "internal", "something went wrong");
      })
      .then((result) => send(response, result))
      .catch(deps.onBroken);
  });
}

async function answer(provider: Provider, request: IncomingMessage, path: string): Promise<Answer> {
  const [, version, resource, rest, ...more] = path.split("/");
  if (version !== "v1" || more.length > 0) return notFound();
  const route = `${request.method ?? ""} ${resource ?? ""}`;
  if (route === "GET payments") return await provider.lookUp(decoded(rest ?? ""));
  if (route === "GET book") return { status: 200, body: provider.book() };
  if (route === "DELETE scripts") return done(() => provider.clearScripts());
  if (request.method !== "POST") return notFound();
  const body = await readBody(request);
  if (body === undefined) return refused(400, "invalid_request", "the body is not JSON or too large");
  switch (resource ?? "") {
    case "tokens": {
      const card = cardBodySchema.safeParse(body);
      return card.success ? await provider.tokenise(card.data) : refused(400, "invalid_request", "the card does not fit the schema");
    }
    case "payments":
      return await pay(provider, rest ?? "", request.headers["idempotency-key"], body);
    case "scripts": {
      const script = scriptSchema.safeParse(body);
      if (!script.success) return refused(400, "invalid_request", script.error.message);
      return done(() => provider.addScript(script.data));
    }
    case "reconcile": {
      const key = (body as { key?: unknown }).key;
      return { status: 200, body: { keys: await provider.reconcile(typeof key === "string" ? key : undefined) } };
    }
    default:
      return notFound();
  }
}

// A text that cannot be decoded is looked up verbatim: it is no key of Saldo's, so nothing stands under it.
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function pay(provider: Provider, kind: string, key: unknown, body: unknown): Promise<Answer> {
  if (!isPaymentKind(kind)) return notFound();
  const goodKey = keySchema.safeParse(key);
  if (!goodKey.success) return refused(400, "invalid_key", "Idempotency-Key must have 1 to 255 visible ASCII characters");
  const parsed = paymentBodySchemas[kind].safeParse(body);
  if (!parsed.success) return refused(400, "invalid_request", "the step does not fit the schema");
  return await provider.pay({ ...parsed.data, kind, key: goodKey.data } as PaymentRequest);
}

function isPaymentKind(text: string): text is PaymentKind {
  return Object.hasOwn(paymentBodySchemas, text);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > MAX_BODY_BYTES) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}");
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, result: Answer): void {
  // A request that hangs gets no answer: it ends by the caller's deadline, or with this server.
  if (result === "hang") return;
  response.writeHead(result.status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    ...(result.retryAfterSeconds === undefined ? {} : { "retry-after": String(result.retryAfterSeconds) }),
  });
  response.end(JSON.stringify(result.body));
}

function done(act: () => void): Answer {
  act();
  return { status: 200, body: { status: "ok" } };
}

function notFound(): Answer {
  return refused(404, "not_found", "there is nothing at this address");
}
