/**
 * Whether work that waits by timers of its own ends before a timer of `ms` that begins with it. A slow machine holds up both timers, and
 * the one that is due first fires first: unlike a measured time this says how long the work waits, not how busy the machine is.
 */
export async function endsSoonerThan(ms: number, work: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const ended = work().then(() => true);
  try {
    return await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}
