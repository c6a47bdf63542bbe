import { activityInfo } from "@temporalio/activity";
import { ApplicationFailure } from "@temporalio/common";
import type { Activities } from "../../activities/index.ts";
import { createCardSteps } from "./fake-card-steps.ts";
import { createOrderSteps } from "./fake-order-steps.ts";
import { refusal, type BookAccess, type Page, type Script, type Step } from "./fake-page.ts";
import { createReservationSteps } from "./fake-reservation-steps.ts";

export interface FakeBook {
  /** Opens the page of the workflow with this id, with the money that its user has. */
  open(id: string, options: { readonly fundsMinor: bigint; readonly script?: Script; readonly paysAtOnce?: boolean }): Page;
  readonly activities: Pick<Activities, Exclude<Step, "payAtOnce">>;
}

/** A ledger and a store in memory, with the guards of the real ones. Their calls behave as each page's script says. */
export function createFakeBook(): FakeBook {
  const pages = new Map<string, Page>();
  const pageOf: BookAccess["pageOf"] = (id) => {
    const page = pages.get(id);
    if (page === undefined) throw ApplicationFailure.nonRetryable(`nobody opened a page for ${id}`);
    return page;
  };

  const call: BookAccess["call"] = async <Result>(page: Page, step: Step, effect: () => Result): Promise<Result> => {
    const calls = (page.calls[step] ?? 0) + 1;
    page.calls[step] = calls;
    const behaviour = page.script[step]?.[calls - 1] ?? "ok";
    if (behaviour === "away") throw away(step);
    if (behaviour === "broken") throw new Error(`a bug in ${step}`);
    if (typeof behaviour === "object") throw refusal(behaviour.refused);
    if (typeof behaviour === "function") {
      let answer: { result: Result } | undefined;
      await behaviour(() => void (answer ??= { result: effect() }));
      return (answer ??= { result: effect() }).result;
    }
    const result = effect();
    if (behaviour === "lost") throw away(step);
    return result;
  };
  const once: BookAccess["once"] = (page, key, name, decide) => {
    const known = page.decided.get(key);
    const decision = known ?? decide() ?? "done";
    page.decided.set(key, decision);
    if (decision !== "done") throw refusal(decision);
    if (known === undefined) page.effects.push(name);
  };

  const open: FakeBook["open"] = (id, { fundsMinor, script = {}, paysAtOnce = false }) => {
    const page: Page = {
      availableMinor: fundsMinor,
      heldMinor: 0n,
      revenueMinor: 0n,
      captures: 0,
      order: undefined,
      card: { authorised: false, fenced: false, captured: false, refunded: false },
      paused: false,
      settlements: [],
      hold: undefined,
      effects: [],
      calls: {},
      paysAtOnce,
      script,
      decided: new Map(),
    };
    pages.set(id, page);
    return page;
  };
  const access: BookAccess = { pageOf, call, once };
  return { open, activities: { ...createOrderSteps(access), ...createCardSteps(access), ...createReservationSteps(access) } };
}

/** A step that is away. Fast retries come at once, so that a table of faults does not take minutes; endless retries follow their proxy's own policy. */
function away(step: Step): ApplicationFailure {
  const fast = activityInfo().isLocal;
  return ApplicationFailure.create({
    type: "UNAVAILABLE",
    message: `${step} is away`,
    ...(fast ? { nextRetryDelay: "2 milliseconds" } : {}),
  });
}
