import { z } from "@hono/zod-openapi";
import type { ApiContext } from "../api-env.ts";

/** The longest a request may wait for its outcome, in seconds. */
export const MAX_WAIT_SECONDS = 30;
const DEFAULT_WAIT_SECONDS = 5;

/** How the header stands in the OpenAPI document. Nothing checks it: `waitAsked` ignores what it does not know. */
export const preferHeader = { Prefer: z.string().optional().openapi({ example: "wait=5" }) };

/** How long to wait for an outcome, and what to say in Preference-Applied when the client's wish decided it. */
interface Wait {
  readonly waitMs: number;
  readonly applied?: string;
}

/** Reads the Prefer header (RFC 7240): `wait=n` in seconds, at most 30, or `respond-async`. Other preferences are ignored, as the RFC asks. */
export function readWait(header: string | undefined): Wait {
  const preferences = (header ?? "").split(",").map((part) => part.trim().toLowerCase());
  for (const preference of preferences) {
    if (preference === "respond-async") return { waitMs: 0, applied: "respond-async" };
    const seconds = /^wait\s*=\s*"?(\d{1,9})"?$/.exec(preference)?.[1];
    if (seconds === undefined) continue;
    const bounded = Math.min(Number(seconds), MAX_WAIT_SECONDS);
    return { waitMs: bounded * 1_000, applied: `wait=${bounded}` };
  }
  return { waitMs: DEFAULT_WAIT_SECONDS * 1_000 };
}

/** How long this request waits for its outcome, in ms. When its Prefer header decided that, the answer's Preference-Applied says so. */
export function waitAsked(context: ApiContext): number {
  const { waitMs, applied } = readWait(context.req.header("prefer"));
  if (applied !== undefined) context.header("preference-applied", applied);
  return waitMs;
}
