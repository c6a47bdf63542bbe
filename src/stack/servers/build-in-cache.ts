import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isSameProcess, processIdentity } from "../processes/process-identity.ts";
import { StackError } from "../stack-error.ts";

const HEARTBEAT_MS = 5_000;
const STALE_AFTER_MS = 60_000;
const POLL_MS = 200;

/**
 * The folder `cacheDir/name`, built when it is not there, by one process of the machine at a time.
 * `build` fills a new folder that takes the name by one atomic rename: a folder of that name is always whole.
 * Safe to retry: a build cut short leaves only a folder that is never used.
 */
export async function buildInCache(options: {
  cacheDir: string;
  name: string;
  signal?: AbortSignal | undefined;
  onWait?: () => void;
  build: (directory: string) => Promise<void>;
}): Promise<{ directory: string; built: boolean }> {
  const directory = join(options.cacheDir, options.name);
  if (existsSync(directory)) return { directory, built: false };
  await mkdir(options.cacheDir, { recursive: true });
  return withFileLock(
    { path: `${directory}.lock`, signal: options.signal, ...(options.onWait === undefined ? {} : { onWait: options.onWait }) },
    async () => {
      if (existsSync(directory)) return { directory, built: false };
      const unfinished = `${directory}.building-${randomUUID()}`;
      await mkdir(unfinished, { recursive: true });
      try {
        await options.build(unfinished);
        await rename(unfinished, directory).catch((error: unknown) => {
          // A process whose lock was taken for stale may have finished first; its folder is as good.
          if (!existsSync(directory)) throw error;
        });
      } finally {
        await rm(unfinished, { recursive: true, force: true });
      }
      return { directory, built: true };
    },
  );
}

/**
 * Runs `work` while holding a lock file; a lock whose holder died or that has not been renewed for a minute is taken over.
 * Throws: STOPPED when aborted while waiting.
 */
export async function withFileLock<T>(
  lock: { path: string; signal?: AbortSignal | undefined; onWait?: () => void },
  work: () => Promise<T>,
): Promise<T> {
  let waited = false;
  while (!(await tryLock(lock.path))) {
    if (lock.signal?.aborted === true) throw new StackError("STOPPED", `Stopped while waiting for ${lock.path}.`);
    if (!waited) lock.onWait?.();
    waited = true;
    if (await isStale(lock.path)) await rm(lock.path, { force: true });
    else await sleep(POLL_MS);
  }
  const heartbeat = setInterval(() => void utimes(lock.path, new Date(), new Date()).catch(() => undefined), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(lock.path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(`${process.pid} ${processIdentity(process.pid) ?? ""}`);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [{ mtimeMs }, holder] = await Promise.all([stat(path), readFile(path, "utf8")]);
    if (Date.now() - mtimeMs > STALE_AFTER_MS) return true;
    const [pid = "", identity = ""] = holder.split(" ");
    // Without an identity the lock is not stale: its holder made the file a moment ago and writes its identity next.
    return identity !== "" && !isSameProcess(Number(pid), identity);
  } catch {
    return false;
  }
}
