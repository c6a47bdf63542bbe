import { streamSSE, type SSEMessage, type SSEStreamingApi } from "hono/streaming";
import { messageOf } from "../../base/errors.ts";
import { isFinal } from "../../domain/orders/order-states.ts";
import { readTransitions, type OrderTransition } from "../../store/orders/order-story.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import { findAcceptedOrder } from "../../use-cases/orders/find-order.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { createStreamSlots } from "../http/stream-slots.ts";
import { findOwnOrder, viewerOf } from "./order-access.ts";
import { createOrderNews, type OrderNews } from "./order-news.ts";
import { orderEventsRoute } from "./story-schemas.ts";

/** How often an open stream looks for a new state. */
const WATCH_MS = 300;
/** A proxy must not take a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000;
const STREAMS = { perSubject: 20, inAll: 1_000 };
/** A stream ends after this time; the client comes again with its Last-Event-ID. */
const STREAM_MS = 600_000;

/** How many heartbeats' time a client may take to read what was sent before its stream ends: a slot belongs to a body that is read. */
const UNREAD_HEARTBEATS = 2;
const STREAM_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };

/** The states of an order as server-sent events. */
export function addOrderStreamRoute(routes: Routes, deps: Pick<ApiDeps, "db" | "starters" | "authenticator" | "settings" | "log">): void {
  const { db, authenticator, settings, log } = deps;
  const { streams = STREAMS, streamHeartbeatMs: heartbeatMs = HEARTBEAT_MS } = settings;
  const slots = createStreamSlots(streams);
  const newsOf = createOrderNews((orderId, afterVersion) => readTransitions(db, orderId, afterVersion), WATCH_MS);
  const mayStillRead = (context: ApiContext): Promise<boolean> =>
    authenticator.authenticate(context.req.header("authorization")).then(
      () => true,
      () => false,
    );

  routes.add(orderEventsRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const { orderId } = context.req.valid("param");
    // Of an order that is accepted and not written yet the stream waits for the states.
    const order = await findAcceptedOrder(deps, viewerOf(context), orderId);
    const afterVersion = lastVersionSeen(context.req.header("last-event-id"), order?.version ?? 0n);
    const first = await readTransitions(db, orderId, afterVersion);
    if (order !== undefined && first.length === 0 && isClosed(await findOwnOrder(context, deps, orderId))) return context.body(null, 204);
    // A HEAD opens no stream, so it takes no slot.
    if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
    const giveBack = slots.take(context.get("caller"));
    const answer = streamSSE(
      context,
      async (stream) => {
        stream.onAbort(giveBack);
        try {
          await sendStates(stream, { orderId, afterVersion, first, newsOf, heartbeatMs, mayGoOn: () => mayStillRead(context) });
        } finally {
          giveBack();
        }
      },
      // An outage loses nothing: the client comes again with the id of the last event that it saw.
      async (error) => log.warn({ orderId, reason: messageOf(error) }, "a stream of an order was cut"),
    );
    for (const [name, value] of Object.entries(STREAM_HEADERS)) answer.headers.set(name, value);
    // How the body ends, and whether the connection stays, is for the server: HTTP/1.0 has no chunks, and a client may want it closed.
    for (const name of ["transfer-encoding", "connection"]) answer.headers.delete(name);
    return answer;
  });
}

// An id that this stream never gave counts as none.
function lastVersionSeen(lastId = "", newest: bigint): bigint {
  return /^\d{1,18}$/.test(lastId) && BigInt(lastId) <= newest ? BigInt(lastId) : 0n;
}

interface Watch {
  readonly orderId: string;
  readonly afterVersion: bigint;
  /** The states after that version that are known already. */
  readonly first: readonly OrderTransition[];
  readonly newsOf: OrderNews;
  readonly heartbeatMs: number;
  readonly mayGoOn: () => Promise<boolean>;
}

/** Sends an order's states until a final one, the end of the stream's time, or the end of the client's right to read. */
async function sendStates(stream: SSEStreamingApi, watch: Watch): Promise<void> {
  const { orderId, newsOf, heartbeatMs } = watch;
  const send = async (writing: () => Promise<unknown>) => {
    const unread = setTimeout(() => stream.abort(), UNREAD_HEARTBEATS * heartbeatMs);
    await writing();
    clearTimeout(unread);
  };
  const endsAtMs = Date.now() + STREAM_MS;
  let version = watch.afterVersion;
  let heartbeatAtMs = Date.now() + heartbeatMs;
  for (let news = watch.first; !stream.aborted && Date.now() < endsAtMs; news = await newsOf(orderId, version)) {
    // The token may have run out or been revoked since the stream began: then the client must come with another one, and is told nothing more.
    if (news.length > 0 && !(await watch.mayGoOn())) return;
    for (const transition of news) {
      await send(() => stream.writeSSE(stateEvent(orderId, transition)));
      ({ version } = transition);
      if (isFinal(transition.sagaState)) return;
    }
    if (Date.now() < heartbeatAtMs) continue;
    if (!(await watch.mayGoOn())) return;
    await send(() => stream.write(": still here\n\n"));
    heartbeatAtMs = Date.now() + heartbeatMs;
  }
}

function stateEvent(orderId: string, transition: OrderTransition): SSEMessage {
  const { version, sagaState, status, at, failureCode, failureMessage } = transition;
  const failure = failureCode === null ? {} : { failure: { code: failureCode, message: failureMessage ?? "" } };
  return {
    id: version.toString(),
    event: "state",
    data: JSON.stringify({ orderId, version: version.toString(), sagaState, status, at: at.toISOString(), ...failure }),
  };
}
