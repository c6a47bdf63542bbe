import { DomainError } from "./errors.ts";

/**
 * The answer when it comes within the deadline, else undefined, also when it fails: for what makes an answer better and is not
 * needed for it. The call itself goes on; its late end is of no consequence.
 */
export async function withinOrNothing<Value>(answer: Promise<Value>, deadlineMs: number): Promise<Value | undefined> {
  return await withinOrThrow(answer, deadlineMs).catch(() => undefined);
}

/**
 * The answer when it comes within the deadline: for what an answer cannot do without. An outage is never taken for "nothing there".
 * Throws: DEADLINE_EXCEEDED, with `message` where one is given, when it does not come; what the call throws.
 */
export async function withinOrThrow<Value>(answer: Promise<Value>, deadlineMs: number, message?: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DomainError("DEADLINE_EXCEEDED", message)), deadlineMs);
  });
  answer.catch(() => {});
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
