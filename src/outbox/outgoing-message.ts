import type { OutgoingMessage } from "../adapters/kafka.ts";
import { operationCloudEvent, orderCloudEvent, reservationExpiringCloudEvent, type CloudEvent } from "../events/cloud-event.ts";
import type { OutboxRow } from "../store/outbox.ts";

const CLOUD_EVENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** An outbox row as it leaves: an event in its envelope, or a dead letter's original bytes. Throws: Error when the row is neither. */
export function toOutgoingMessage(row: OutboxRow): OutgoingMessage {
  if (row.operation !== null) {
    const userId = row.messageKey ?? row.aggregateId;
    return inEnvelope(row, operationCloudEvent({ outboxId: row.id, userId, operation: row.operation }), row.operation.correlation_id);
  }
  if (row.payload !== null && row.aggregateType === "order") {
    const correlationId = row.headers["correlation-id"];
    return inEnvelope(row, orderCloudEvent({ outboxId: row.id, payload: row.payload, correlationId }), correlationId);
  }
  if (row.payload !== null && row.aggregateType === "reservation") {
    const correlationId = row.headers["correlation-id"];
    return inEnvelope(row, reservationExpiringCloudEvent({ outboxId: row.id, payload: row.payload, correlationId }), correlationId);
  }
  if (row.payload !== null) throw new Error(`outbox row ${row.id} is of the unknown type ${row.aggregateType}`);
  return { key: row.rawKey, value: row.rawValue, headers: row.headers };
}

function inEnvelope(row: OutboxRow, event: CloudEvent, correlationId: string | undefined): OutgoingMessage {
  return {
    key: row.messageKey,
    value: JSON.stringify(event),
    headers: {
      ...row.headers,
      "content-type": CLOUD_EVENT_TYPE,
      ...(correlationId === undefined ? {} : { "correlation-id": correlationId }),
    },
  };
}
