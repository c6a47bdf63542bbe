import { isCancellation, log, setCurrentDetails, TemporalFailure } from "@temporalio/workflow";
import type { EventBatchInput, EventBatchResult, EventBatchStart } from "../../src/contract/events.ts";
import { cacheSteps, enduringSteps, steps, type OrderSteps } from "../activity-proxies.ts";
import { isFinalRefusal } from "../steps/failures.ts";

/**
 * Applies a run of Kafka events, each once and in their order, then refreshes the cached balances that they changed.
 * A batch never fails for a store that is away: it waits. A refused event is part of the result, not a failure.
 * Fails with EVENTS_REMOVED or EVENTS_CHANGED when its events cannot be found by their place: nothing of it is applied then.
 */
export async function eventBatch(input: EventBatchStart): Promise<EventBatchResult> {
  const result = "events" in input ? await applyCarried(input) : await patiently((proxy) => proxy.applyEventsAt(input));
  setCurrentDetails(
    `${"events" in input ? input.events.length : input.count} events of \`${input.topic}/${input.partition}\`: ` +
      `${result.applied} applied, ${result.duplicates} known already, ` +
      `${result.refused} refused, ${result.conflicts.length + result.failures.length} for the dead letters.`,
  );
  // Where the activity has the events, it refreshes the balances itself.
  if ("events" in input) await refreshWalletBalances(input);
  return result;
}

const applyCarried = (input: EventBatchInput) => patiently((proxy) => proxy.applyEvents(input));

// A local activity first: its input is not written to the history, where the events already stand as the workflow's input.
// When the store stays away an ordinary activity takes over, because its endless retries add nothing to the history.
async function patiently(apply: (proxy: OrderSteps) => Promise<EventBatchResult>): Promise<EventBatchResult> {
  try {
    return await apply(steps);
  } catch (error) {
    if (!(error instanceof TemporalFailure) || isCancellation(error) || isFinalRefusal(error)) throw error;
    log.warn("the events could not be applied at once; waiting for the store", { cause: error.cause?.message ?? error.message });
    return apply(enduringSteps);
  }
}

// A balance cache that is away never fails the batch.
async function refreshWalletBalances(input: EventBatchInput): Promise<void> {
  const wallets = new Map(movedWallets(input).map(({ userId, currency }) => [`${currency} ${userId}`, { userId, currency }]));
  if (wallets.size === 0) return;
  try {
    await cacheSteps.refreshWallets({ wallets: [...wallets.values()] });
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn("the balance cache was not refreshed", { cause: error instanceof Error ? error.message : String(error) });
  }
}

// Card purchases move no user's balance.
function movedWallets(input: EventBatchInput): readonly { readonly userId: string; readonly currency: string }[] {
  return input.kind === "loyalty" ? input.events : input.events.filter(({ paymentMethod }) => paymentMethod === "wallet");
}
