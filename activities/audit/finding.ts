import type { SelfAuditFinding } from "../../src/contract/self-audit.ts";

const EXAMPLES = 5;

/** How many items one run of the self-audit takes of each kind: those whose end comes next. The others are taken by a later run, before their own end. */
export const PER_RUN = 1_000;

/** The finding of a check that looked at `checked` items. `broken` are those that stay wrong and `repaired` those that were put right, each in words. */
export function findingOf(
  check: string,
  title: string,
  found: {
    readonly checked: number;
    readonly broken: readonly string[];
    readonly repaired?: readonly string[];
    readonly level?: SelfAuditFinding["level"];
  },
): SelfAuditFinding {
  const { checked, broken, repaired = [], level = "broken" } = found;
  return {
    check,
    title,
    level,
    checked: String(checked),
    broken: String(broken.length),
    repaired: String(repaired.length),
    examples: [...broken, ...repaired].slice(0, EXAMPLES),
  };
}
