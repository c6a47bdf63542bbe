/**
 * The answer when it comes within the deadline, else undefined, also when it fails: for what makes an answer better and is not
 * needed for it. The call itself goes on; its late end is of no consequence.
 */
export async function quickly<Value>(answer: Promise<Value>, deadlineMs: number): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), deadlineMs);
  });
  try {
    return await Promise.race([answer.catch(() => undefined), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
