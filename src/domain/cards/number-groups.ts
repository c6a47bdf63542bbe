/** How two groups of digits that follow each other hang together. */
type Link =
  /** Spaces, dashes or invisible characters, as people write one number. */
  | "close"
  /** Dots, underscores and slashes as well: what also stands in sums, dates and paths. */
  | "loose"
  /** Anything that is neither letter nor digit: lists, brackets, columns, bytes of UTF-16. */
  | "wide"
  | "none";

interface Group {
  readonly at: number;
  readonly end: number;
  /** Where its digits begin and end among all digits of the text. */
  readonly from: number;
  readonly to: number;
  /** How it hangs together with the group before it. */
  readonly link: Link;
}

/** The digits of a text, and how they stand in groups. */
export interface NumberGroups {
  readonly groups: readonly Group[];
  readonly digits: string;
}

const CLOSE = /^[\s\p{Pd}\p{Cf}]{1,3}$/u;
const LOOSE = /^[\s\p{Pd}\p{Cf}._/]{1,3}$/u;
const WIDE = /^[^\p{L}\p{N}]*$/u;
const MAX_WIDE = 8;

/** The groups of digits in a text that has plain digits. */
export function readNumberGroups(plain: string): NumberGroups {
  const groups: Group[] = [];
  const digits: string[] = [];
  let from = 0;
  let end = 0;
  for (const { 0: group, index: at } of plain.matchAll(/\d+/g)) {
    const link = groups.length === 0 || at - end > MAX_WIDE ? "none" : linkOf(plain.slice(end, at));
    end = at + group.length;
    groups.push({ at, end, from, to: from + group.length, link });
    digits.push(group);
    from += group.length;
  }
  return { groups, digits: digits.join("") };
}

/** Where the last `maxDigits` digits begin that hang together, in whatever way, at the very end of a text; undefined when it ends otherwise. */
export function startOfLastDigits(plain: string, maxDigits: number): number | undefined {
  const { groups } = readNumberGroups(plain);
  const last = groups.at(-1);
  if (last === undefined || plain.length - last.end > MAX_WIDE || !WIDE.test(plain.slice(last.end))) return undefined;
  let start: number | undefined;
  for (let place = groups.length - 1; place >= 0; place -= 1) {
    const group = groups[place] ?? last;
    const wanted = maxDigits - (last.to - group.to);
    start = Math.max(group.at, group.end - wanted);
    if (wanted <= group.to - group.from || group.link === "none") break;
  }
  return start;
}

function linkOf(between: string): Link {
  if (CLOSE.test(between)) return "close";
  if (LOOSE.test(between)) return "loose";
  return WIDE.test(between) ? "wide" : "none";
}
