import { DomainError } from "../../base/errors.ts";
import { kafkaTopicOf } from "../../contract/ids.ts";
import { maskCardInIdentity } from "../../domain/cards/card-in-ids.ts";
import { findReceipt } from "../../store/events/receipts.ts";
import { placeTopicOf } from "../../store/events/topic-incarnations.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { readEventReceiptRoute } from "./events-schemas.ts";

/** Receipts of Kafka messages. */
export function addEventRoutes(routes: Routes, { db, settings }: ApiDeps): void {
  const { eventTopics } = settings;

  routes.add(readEventReceiptRoute, { access: SERVICES, problems: ["EVENT_NOT_SEEN", "TOPIC_NOT_READ"] }, async (context) => {
    const { topic: asked, partition, offset } = context.req.valid("param");
    const topic = await placeTopicOf(db, asked);
    const receipt = await findReceipt(db, { topic, partition: Number(partition), offset });
    // A topic that is no longer read may have receipts of earlier messages, so its name is looked at only when there is none.
    if (receipt === undefined)
      throw new DomainError(eventTopics?.includes(kafkaTopicOf(topic)) === false ? "TOPIC_NOT_READ" : "EVENT_NOT_SEEN");
    const { operationId, workflowId, deadLetterId, code, reason, first } = receipt;
    return context.json(
      {
        topic,
        partition: Number(partition),
        offset,
        outcome: receipt.outcome,
        identity: maskCardInIdentity(receipt.identity),
        ...(operationId === undefined ? {} : { operationId }),
        ...(workflowId === undefined ? {} : { workflowId }),
        ...(code === undefined ? {} : { code }),
        ...(reason === undefined ? {} : { reason }),
        ...(deadLetterId === undefined ? {} : { deadLetterId }),
        ...(first === undefined ? {} : { first }),
        recordedAt: receipt.recordedAt.toISOString(),
        links: {
          self: `/api/v1/events/${topic}/${partition}/${offset}`,
          ...(operationId === undefined ? {} : { operation: `/api/v1/operations/${operationId}` }),
          ...(deadLetterId === undefined ? {} : { deadLetter: `/api/v1/dead-letters/${deadLetterId}` }),
        },
      },
      200,
    );
  });
}
