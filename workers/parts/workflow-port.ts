import type { WorkflowPort } from "../../activities/activity-deps.ts";
import type { TemporalLink } from "../../src/adapters/temporal/temporal.ts";
import type { Config } from "../../src/config.ts";
import { createStarters } from "../../src/starters/index.ts";

/**
 * What activities ask of Temporal, over the role's own connection. A restarted workflow gets the settings that are not kept with its hold
 * or refund from this role's configuration.
 */
export function createWorkflowPort({ client }: TemporalLink, config: Config): WorkflowPort {
  const starters = createStarters({ client, eager: false, deadlineMs: config.TEMPORAL_DEADLINE_MS });
  return {
    isOpen: (workflowId) => starters.isOpen(workflowId),
    restartOrder: (input) => starters.restartOrder(input),
    followSagaRefund: (payment) => starters.followSagaRefund(payment),
    startRefund: (input) => starters.startRefund({ ...input, fastRetries: config.COMPENSATION_FAST_RETRIES }),
    restartReservation: (input) => starters.restartReservation({ ...input, expiringMs: config.RESERVATION_EXPIRING_MS }),
  };
}
