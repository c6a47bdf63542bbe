import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BookEntry, PaymentEntry } from "../../src/psp-simulator/book.ts";
import type { Call } from "../../src/psp-simulator/provider.ts";
import { scriptSchema, type Script } from "../../src/psp-simulator/scripts.ts";
import { startSimulator } from "../../src/psp-simulator/simulator.ts";

export interface TestPsp {
  readonly url: string;
  readonly apiKey: string;
  readonly dataDir: string;
  book(): { readonly entries: readonly BookEntry[]; readonly calls: readonly Call[] };
  /** The entries of payments, in their order. */
  payments(): PaymentEntry[];
  /** Shows the behaviour from now on, before older scripts; without `rate` to every request of the four money steps. */
  script(script: Partial<Script> & Pick<Script, "kinds">): void;
  clearScripts(): void;
  reconcile(key?: string): Promise<string[]>;
  /** Stops the provider, and removes its book unless the caller gave the folder. Safe to retry. */
  stop(): Promise<void>;
}

/** The payment provider in this process, by default on a free port. With `dataDir` its book is read again after a stop. */
export async function startPspSimulator(
  options: {
    readonly dataDir?: string;
    readonly port?: number;
    readonly slowMs?: number;
    readonly apiKey?: string;
    readonly now?: () => Date;
  } = {},
): Promise<TestPsp> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "saldo-psp-")));
  const apiKey = options.apiKey ?? `test-${randomUUID()}`;
  const simulator = await startSimulator({
    dataDir,
    host: "127.0.0.1",
    port: options.port ?? 0,
    apiKey,
    slowMs: options.slowMs ?? 300,
    ...(options.now === undefined ? {} : { now: options.now }),
    onBroken: (error) => {
      throw error;
    },
  });
  const { provider } = simulator;
  return {
    url: simulator.url,
    apiKey,
    dataDir,
    book: () => provider.book(),
    payments: () => provider.book().entries.filter((entry) => entry.type === "payment"),
    script: (script) => provider.addScript(scriptSchema.parse(script)),
    clearScripts: () => provider.clearScripts(),
    reconcile: (key) => provider.reconcile(key),
    async stop() {
      await simulator.stop();
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
