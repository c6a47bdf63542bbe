export interface LeaseDeps {
  /** Takes the lease or renews it, for three times `renewLeaseMs`. True while this process may publish. */
  readonly takeLease: () => Promise<boolean>;
  /** How often the lease is renewed beside the publishing, so that it does not end while a send takes long. */
  readonly renewLeaseMs: number;
  readonly nowMs: () => number;
}

/** The lease of one relay, asked of the store only when it has not been for a while. */
export interface RelayLease {
  /** Whether this process may publish. Throws: what the store throws. */
  isMine(): Promise<boolean>;
  /** Renews a lease that is held; takes none. Never throws. */
  renew(): Promise<void>;
}

/** No lease is held at first. */
export function createRelayLease({ takeLease, renewLeaseMs, nowMs }: LeaseDeps): RelayLease {
  let goodUntilMs = -Infinity;
  const take = async (): Promise<boolean> => {
    const askedAtMs = nowMs();
    goodUntilMs = -Infinity;
    if (!(await takeLease())) return false;
    // A third of the lease is left for what is under way when it is no longer believed in. A process that stood still knows it by its clock.
    goodUntilMs = askedAtMs + 2 * renewLeaseMs;
    return true;
  };
  return {
    isMine: async () => nowMs() < goodUntilMs || (await take()),
    async renew() {
      if (nowMs() < goodUntilMs) await take().catch(() => {});
    },
  };
}
