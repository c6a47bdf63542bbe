import { messageOf } from "../../src/base/errors.ts";
import { sideBySide } from "../../src/base/side-by-side.ts";
import type { ActivityLog, WorkflowPort } from "../activity-deps.ts";

/** How many questions to Temporal are under way at once: about 2 ms each. */
const AT_ONCE = 20;

/**
 * Repairs each item whose workflow does not run, and returns in words what stays broken and what is repaired. An item is left alone when
 * its `repair` returns undefined: it was closed meanwhile. It stays broken when `repair` returns "broken" or throws; the others are
 * repaired all the same.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED when Temporal cannot say whether a workflow runs.
 */
export async function repairLost<Item>(
  items: readonly Item[],
  {
    workflows,
    logger,
    workflowIdOf,
    wordsOf,
    repair,
  }: {
    readonly workflows: Pick<WorkflowPort, "isOpen">;
    readonly logger: ActivityLog;
    readonly workflowIdOf: (item: Item) => string;
    /** What is wrong with an item that stays broken. */
    readonly wordsOf: (item: Item) => string;
    readonly repair: (item: Item) => Promise<{ readonly repaired: string } | "broken" | undefined>;
  },
): Promise<{ readonly broken: readonly string[]; readonly repaired: readonly string[] }> {
  const broken: string[] = [];
  const repaired: string[] = [];
  await sideBySide(items, AT_ONCE, async (item) => {
    if (await workflows.isOpen(workflowIdOf(item))) return;
    try {
      const outcome = await repair(item);
      if (outcome === "broken") broken.push(wordsOf(item));
      else if (outcome !== undefined) repaired.push(outcome.repaired);
    } catch (error) {
      broken.push(`${wordsOf(item)}: ${messageOf(error)}`);
    }
  });
  for (const words of repaired) logger.warn({ event: "self-audit.repaired" }, words);
  return { broken, repaired };
}
