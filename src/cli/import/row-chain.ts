import { createHash } from "node:crypto";
import { idProblem } from "../../contract/id-rule.ts";
import type { Columns } from "./csv-columns.ts";

/** Longer names of sources, and names that may not be part of an id, stand in event ids by their hash. */
const MAX_SOURCE_LENGTH = 100;
/** 128 bits in hexadecimal digits: no two rows meet by chance. */
const HASH_DIGITS = 32;

/** Tells the rows of one file that have no id of their own, in the order of the file. */
export interface RowChain {
  /**
   * The hash of this row and of all rows without an id before it; undefined for a row with an id of its own. Equal rows of one file have
   * different hashes, and the same rows in the same order have the same.
   */
  next(columns: Columns, record: readonly string[]): string | undefined;
}

/** A chain that begins with the first row of a file. */
export function createRowChain(): RowChain {
  let hash = "";
  return {
    next(columns, record) {
      if ((record[columns.places.event] ?? "") !== "") return undefined;
      const cells = Object.entries(columns.places).flatMap(([field, place]) => {
        const cell = record[place] ?? "";
        return cell === "" ? [] : [field, cell];
      });
      const content = JSON.stringify([columns.amountCurrency ?? "", ...cells]);
      hash = createHash("sha256").update(`${hash}\n${content}`).digest("hex").slice(0, HASH_DIGITS);
      return hash;
    },
  };
}

/**
 * The id of a row that has none of its own, by its hash in the chain: the same row of the same source is the same event, whenever it is imported.
 * An earlier release made it of the row's line.
 */
export function rowEventId(source: string, row: string | number): string {
  const isPlain = idProblem(source, MAX_SOURCE_LENGTH) === undefined;
  const name = isPlain ? source : createHash("sha256").update(source).digest("hex");
  return `import/${name}/${row}`;
}
