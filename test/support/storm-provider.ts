import { setTimeout as sleep } from "node:timers/promises";
import { TROUBLE } from "./storm-plan.ts";
import { pidOf, type Stage } from "./storm-stage.ts";

/** Drawn more often than trouble that takes its time: hanging requests end many together, and each time open the breaker for half a minute. */
const AT_ONCE_TROUBLE = ["charge-then-500", "5xx", "429", "charge-then-500", "5xx", "429"] as const;
const TEND_MS = 2_000;
const RECONCILE_MS = 6_000;

export type ProviderHand = ReturnType<typeof createProviderHand>;

/** The system's provider from the side of its operator. */
export function createProviderHand({ options, system, dataDir }: Pick<Stage, "options" | "system" | "dataDir">) {
  const address = { url: system.running.pspUrl ?? "", apiKey: system.running.pspApiKey ?? "" };
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(new URL(path, address.url), {
      method,
      headers: { authorization: `Bearer ${address.apiKey}` },
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return await response.json();
  };
  type Book = { calls: { behaviour: string }[]; entries: { type: string; kind?: string; status?: string }[] };
  const seen: Record<string, number> = {};
  const count = async () => {
    const { calls } = (await ask("GET", "/v1/book")) as Book;
    for (const { behaviour } of calls) seen[behaviour] = (seen[behaviour] ?? 0) + 1;
  };
  let scriptedPid: number | undefined;
  return {
    address,
    pid: () => pidOf(dataDir, "psp"),
    /** Lets the provider answer badly, also after it was started again. Safe to retry. */
    async tend() {
      const pid = pidOf(dataDir, "psp");
      if (pid === scriptedPid) return;
      const { seed, rate } = options;
      await ask("POST", "/v1/scripts", {
        kinds: [...TROUBLE, ...AT_ONCE_TROUBLE],
        rate,
        seed,
        // Not at the vault: a client whose card the vault does not take has no order yet.
        steps: ["authorise", "capture", "cancel", "refund", "look-up"],
      });
      scriptedPid = pid;
    },
    reconcile: async () => ((await ask("POST", "/v1/reconcile", {})) as { keys: string[] }).keys.length,
    /** Adds up the calls that the provider remembers: it forgets them with its process. */
    count,
    async answers() {
      await count();
      return seen;
    },
    captures: async () =>
      ((await ask("GET", "/v1/book")) as Book).entries.filter(({ kind, status }) => kind === "capture" && status === "approved").length,
  };
}

/** Does until the storm is over what the provider's people and Saldo's operators do: mends keys with a stored error, tries stuck orders again. */
export async function tendProvider(
  { api }: Pick<Stage, "api">,
  { provider, over }: { provider: ProviderHand; over: AbortSignal },
): Promise<{ reconciled: number; operatorRetries: number }> {
  const done = { reconciled: 0, operatorRetries: 0 };
  let reconcileAtMs = performance.now() + RECONCILE_MS;
  while (!over.aborted) {
    await sleep(TEND_MS, undefined, { signal: over }).catch(() => undefined);
    try {
      await provider.tend();
      if (performance.now() < reconcileAtMs) continue;
      reconcileAtMs = performance.now() + RECONCILE_MS;
      done.reconciled += await provider.reconcile();
      const { orders = [] } = (await api.get("/api/v1/orders?stuck=true&limit=100")).body as { orders?: { orderId: string }[] };
      for (const { orderId } of orders) {
        const answer = await api.post(`/api/v1/orders/${orderId}/operator-acts`, { act: "retry", reason: "storm" });
        if (answer.status === 202) done.operatorRetries += 1;
      }
    } catch {
      // A role that was killed answers at the next round.
    }
  }
  return done;
}
