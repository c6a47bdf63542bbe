import type { OutgoingMessage } from "../adapters/kafka/kafka.ts";
import {
  operationCloudEvent,
  orderCloudEvent,
  outboxEventId,
  reservationExpiringCloudEvent,
  type CloudEvent,
} from "../events/cloud-event.ts";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { traceParentOf } from "./trace-parent.ts";

const CLOUD_EVENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** An event as it leaves, for receivers besides Kafka. `body` is the CloudEvent's JSON, byte for byte as on its topic. */
export interface OutgoingEvent {
  readonly id: string;
  readonly type: string;
  readonly body: string;
}

/** An outbox row as it leaves. `event` is absent for raw bytes, which are dead letters and their redrives. */
export interface Outgoing {
  readonly message: OutgoingMessage;
  readonly event?: OutgoingEvent;
}

/** Renders an outbox row: an event in its envelope, or raw bytes verbatim. Throws: Error when the row is neither. */
export function toOutgoing(row: OutboxRow): Outgoing {
  const correlationId = row.operation?.correlation_id ?? row.headers["correlation-id"];
  const traceparent = row.headers["traceparent"] ?? traceParentOf({ id: outboxEventId(row.id), correlationId });
  const event = eventOf(row, correlationId, traceparent);
  if (event === undefined) {
    // A dead letter and a redrive keep the headers of their original; the messages of a saga carry its trace.
    const headers = row.aggregateType === "saga" ? { ...row.headers, traceparent } : row.headers;
    return { message: { key: row.rawKey, value: row.rawValue, headers } };
  }
  const body = JSON.stringify(event);
  return {
    message: {
      key: row.messageKey,
      value: body,
      headers: {
        ...row.headers,
        "content-type": CLOUD_EVENT_TYPE,
        traceparent,
        ...(correlationId === undefined ? {} : { "correlation-id": correlationId }),
      },
    },
    event: { id: event.id, type: event.type, body },
  };
}

function eventOf(row: OutboxRow, correlationId: string | undefined, traceparent: string): CloudEvent | undefined {
  const { id: outboxId, operation, payload } = row;
  if (operation !== null) return operationCloudEvent({ outboxId, userId: row.messageKey ?? row.aggregateId, operation, traceparent });
  if (payload === null) return undefined;
  switch (row.aggregateType) {
    case "order":
      return orderCloudEvent({ outboxId, payload, correlationId, traceparent });
    case "reservation":
      return reservationExpiringCloudEvent({ outboxId, payload, correlationId, traceparent });
    default:
      throw new Error(`outbox row ${outboxId} is of the unknown type ${row.aggregateType}`);
  }
}
