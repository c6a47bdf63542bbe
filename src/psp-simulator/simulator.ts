import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { urlHost } from "../base/url-host.ts";
import { openBookFile } from "./book-file.ts";
import { createBook } from "./book.ts";
import { createProvider, type Provider } from "./provider.ts";
import { createPspServer } from "./server.ts";
import { openVault } from "./vault.ts";

/** A running payment provider. */
export interface PspSimulator {
  readonly url: string;
  readonly provider: Provider;
  /** Stops at once: every step that was answered is on the disk. Safe to retry. */
  stop(): Promise<void>;
}

/** The folder of the book and of the vault's key, inside the data folder. */
export function pspDirOf(dataDir: string): string {
  return join(dataDir, "psp");
}

/** The delay of a slow answer: less than Saldo's deadline of three seconds for an answer. */
const SLOW_MS = 1_500;

/**
 * Starts the provider on `port` (0: a free one) over the book in `dataDir/psp`. `onBroken` is called when the book cannot be written: the
 * book in memory is then ahead of the disk, and the process should end.
 * Throws: Error when the book cannot be read or the port cannot be had.
 */
export async function startSimulator(options: {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly apiKey: string;
  readonly slowMs?: number;
  readonly now?: () => Date;
  readonly onBroken: (error: unknown) => void;
}): Promise<PspSimulator> {
  const directory = pspDirOf(options.dataDir);
  const vault = await openVault(directory);
  const file = await openBookFile(join(directory, "book.jsonl"));
  const book = createBook();
  for (const entry of file.entries) book.apply(entry);
  const provider = createProvider({
    book,
    file,
    vault,
    slowMs: options.slowMs ?? SLOW_MS,
    now: options.now ?? (() => new Date()),
    sleep: (ms) => sleep(ms),
  });
  const server = createPspServer({ provider, apiKey: options.apiKey, onBroken: options.onBroken });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port }, resolve);
  }).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  let stopping: Promise<void> | undefined;
  return {
    url: `http://${urlHost(options.host)}:${(server.address() as AddressInfo).port}`,
    provider,
    stop: () =>
      (stopping ??= (async () => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
        await file.close();
      })()),
  };
}
