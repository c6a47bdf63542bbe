import type { System } from "../../src/cli/start/system.ts";
import { readRunning } from "../../src/stack/running.ts";
import { TROUBLE } from "./storm-plan.ts";

/** Faults that are drawn more often than slow ones: many hanging requests end together, and each time open the breaker for half a minute. */
const AT_ONCE_TROUBLE = ["charge-then-500", "5xx", "429", "charge-then-500", "5xx", "429"] as const;

/** The provider as its operator sees it. */
export function createProviderHand({
  options,
  system,
  dataDir,
}: {
  readonly options: { readonly seed: number; readonly rate: number };
  readonly system: System;
  readonly dataDir: string;
}) {
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
    /** Makes the provider answer badly, also after it was started again. */
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
    /** Adds up the calls that the provider remembers; it forgets them with its process. */
    count,
    async answers() {
      await count();
      return seen;
    },
    captures: async () =>
      ((await ask("GET", "/v1/book")) as Book).entries.filter(({ kind, status }) => kind === "capture" && status === "approved").length,
  };
}

/** The pid of a role, from the note of the running system. */
export function pidOf(dataDir: string, role: string): number | undefined {
  return readRunning(dataDir)?.roles.find(({ name }) => name === role)?.pid;
}
