import { sql, type SQL } from "drizzle-orm";
import { ORDER_EVENTS_TOPIC } from "../../contract/topics.ts";

const PAYLOAD = sql`jsonb_build_object('orderId', x.id, 'userId', x.user_id, 'sagaState', x.saga_state, 'status', x.status,
  'version', x.version::text, 'amountMinor', x.total_minor::text, 'currency', x.currency, 'failureCode', x.failure_code,
  'failureMessage', x.failure_message, 'recordedAt', x.updated_at)`;

/**
 * The part of a statement that puts one event of `orders.events` into the outbox for each row of its CTE `changed`, which must hold
 * whole rows of `orders` as they are after the change. `more` is a jsonb object that is added to the payload.
 * `ledger_post` (migration 0017) writes the same event for the states that money brings about; those never carry a failure.
 */
export function insertOrderEvent(more?: SQL): SQL {
  return sql`insert into outbox (aggregate_type, aggregate_id, topic, message_key, payload, headers)
    select 'order', x.id, ${ORDER_EVENTS_TOPIC}, x.id, ${more === undefined ? PAYLOAD : sql`${PAYLOAD} || ${more}`},
           jsonb_build_object('correlation-id', x.correlation_id) from changed x`;
}
