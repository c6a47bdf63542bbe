/** What one check of the standing self-audit found. Counts are decimal text, as they cross a process. */
export interface SelfAuditFinding {
  readonly check: string;
  readonly title: string;
  /** `warning` wants a look; `broken` makes the audit fail. */
  readonly level: "broken" | "warning";
  readonly checked: string;
  /** How many are wrong and stay so. */
  readonly broken: string;
  /** How many were wrong and have been put right. */
  readonly repaired: string;
  /** The first few of them, in words. */
  readonly examples: readonly string[];
}

export interface SelfAuditResult {
  readonly ok: boolean;
  readonly findings: readonly SelfAuditFinding[];
  /** How long the proof of the books took, in milliseconds; absent when this run left it out. */
  readonly provedMs?: number;
}

export interface HousekeepingInput {
  /** How long a published message stays in the outbox, in milliseconds. */
  readonly outboxKeepMs: number;
}

/** How many rows were removed, by table. */
export type HousekeepingResult = Readonly<Record<string, number>>;

/** True when nothing is broken; warnings and what was repaired do not count. */
export function isAuditOk(findings: readonly SelfAuditFinding[]): boolean {
  return findings.every(({ level, broken }) => level === "warning" || broken === "0");
}
