import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { PayloadCodec } from "@temporalio/common";
import { uuidv7 } from "uuidv7";
import type { Log } from "../../adapters/log.ts";
import { domainErrorIn, DomainError } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import type { Api, ApiContext, ApiEnv } from "../api-env.ts";
import { answerProblem, createErrorHandler } from "../http/error-handler.ts";
import type { Authenticator } from "../http/guard.ts";
import { SECURITY_HEADERS } from "../http/problem.ts";
import { readJsonBody } from "../http/request-body.ts";

/** A history's largest event holds no more than some megabytes (Temporal's limit of a payload is 2 MiB), and base64 adds a third. */
const MAX_BODY_BYTES = 8_388_608;
const MAX_PAYLOADS = 10_000;
const PREFLIGHT_LIFETIME_SECONDS = 600;
/** Who may read a payload may read everything. */
const MAY_DECODE: Role = "admin";

const base64 = z.string().transform((text) => new Uint8Array(Buffer.from(text, "base64")));
const bodySchema = z.object({
  payloads: z
    .array(z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() }))
    .max(MAX_PAYLOADS)
    .default([]),
});

/**
 * A codec server of Temporal: `POST /encode` and `POST /decode` take and answer `{"payloads":[{"metadata":{…},"data":"base64"}]}`, as the Web UI and
 * the `temporal` command line send it. Every request needs the token of an admin. A page may ask from `origin` alone; what has no origin, such as
 * the command line, may ask as well. Payloads in the open are answered as they are.
 */
export function createCodecApp(deps: {
  readonly codec: PayloadCodec;
  readonly authenticator: Authenticator;
  readonly origin: string | undefined;
  readonly log: Log;
}): Api {
  const { codec, authenticator, origin, log } = deps;
  const app: Api = new OpenAPIHono<ApiEnv>();
  const answerError = createErrorHandler(log);

  app.use("*", async (context, next) => {
    context.set("correlationId", uuidv7());
    for (const [name, value] of SECURITY_HEADERS) context.header(name, value);
    context.header("vary", "origin");
    const asking = context.req.header("origin");
    if (asking === undefined) return next();
    if (asking !== origin) throw new DomainError("FORBIDDEN", "pages of this origin may not read payloads");
    context.header("access-control-allow-origin", origin);
    context.header("access-control-allow-credentials", "true");
    if (context.req.method !== "OPTIONS") return next();
    return context.body(null, 204, {
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization, content-type, x-namespace",
      "access-control-max-age": String(PREFLIGHT_LIFETIME_SECONDS),
    });
  });

  const serve = (work: PayloadCodec["encode"], what: "encode" | "decode") => async (context: ApiContext) => {
    const principal = await authenticator.authenticate(context.req.header("authorization"));
    if (!principal.roles.includes(MAY_DECODE)) throw new DomainError("FORBIDDEN");
    const parsed = bodySchema.safeParse(await readJsonBody(context, { maxBytes: MAX_BODY_BYTES, optional: false }));
    if (!parsed.success) throw new DomainError("INVALID_REQUEST", "the body is not {payloads: [{metadata, data}]} with base64");
    const payloads = await work(
      parsed.data.payloads.map(({ metadata, data }) => ({ metadata: metadata ?? {}, data: data ?? new Uint8Array() })),
    );
    log.info({ event: `codec.${what}`, subject: principal.subject, payloads: payloads.length }, "payloads were shown or made");
    return context.json({ payloads: payloads.map(jsonOf) });
  };
  app.post("/encode", serve(codec.encode.bind(codec), "encode"));
  app.post("/decode", serve(codec.decode.bind(codec), "decode"));
  app.notFound((context) => answerProblem(context, "NOT_FOUND"));
  app.onError((error, context) => {
    const response = answerError(domainErrorIn(error) ?? error, context);
    if (context.req.header("origin") === origin && origin !== undefined) {
      response.headers.set("access-control-allow-origin", origin);
      response.headers.set("access-control-allow-credentials", "true");
    }
    return response;
  });
  return app;
}

type Encoded = Awaited<ReturnType<PayloadCodec["encode"]>>[number];

function jsonOf({ metadata, data }: Encoded): { metadata: Record<string, string>; data: string } {
  const names = Object.entries(metadata ?? {}).map(([name, bytes]) => [name, toBase64(bytes)] as const);
  return { metadata: Object.fromEntries(names), data: toBase64(data) };
}

function toBase64(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString("base64");
}
