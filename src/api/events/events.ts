import { DomainError } from "../../base/errors.ts";
import { maskCardInIdentity } from "../../domain/cards/card-in-ids.ts";
import { findReceipt } from "../../store/events/receipts.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { SERVICES } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { OUTAGES } from "../orders/order-access.ts";
import { readEventReceiptRoute } from "./events-schemas.ts";

/** Receipts of Kafka messages. */
export function addEventRoutes(api: Api, { db, settings }: ApiDeps): void {
  const { maxBodyBytes, eventTopics } = settings;

  addRoute(
    api,
    readEventReceiptRoute,
    { access: SERVICES, maxBodyBytes, problems: ["EVENT_NOT_SEEN", "TOPIC_NOT_READ", ...OUTAGES] },
    async (context) => {
      const { topic, partition, offset } = context.req.valid("param");
      const receipt = await findReceipt(db, { topic, partition: Number(partition), offset });
      // A topic that is not read any more may have been.
      if (receipt === undefined) throw new DomainError(eventTopics?.includes(topic) === false ? "TOPIC_NOT_READ" : "EVENT_NOT_SEEN");
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
    },
  );
}
