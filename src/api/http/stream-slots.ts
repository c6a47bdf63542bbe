import { DomainError } from "../../base/errors.ts";

/** The slots that open streams take. */
export interface StreamSlots {
  /** Takes a slot and returns what gives it back. Throws: RATE_LIMITED when all of the subject are taken, UNAVAILABLE when all of the process are. */
  take(subject: string): () => void;
}

/** Counts open streams: at most `perSubject` of one subject and `inAll` in this process. */
export function createStreamSlots({ perSubject, inAll }: { readonly perSubject: number; readonly inAll: number }): StreamSlots {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(subject) {
      const own = taken.get(subject) ?? 0;
      if (own >= perSubject)
        throw new DomainError("RATE_LIMITED", `at most ${perSubject} streams may be open at once`, { retryAfterSeconds: "1" });
      if (all >= inAll) throw new DomainError("UNAVAILABLE", "all places for open streams are taken");
      taken.set(subject, own + 1);
      all += 1;
      let isGivenBack = false;
      return () => {
        if (isGivenBack) return;
        isGivenBack = true;
        all -= 1;
        const left = (taken.get(subject) ?? 1) - 1;
        if (left === 0) taken.delete(subject);
        else taken.set(subject, left);
      };
    },
  };
}
