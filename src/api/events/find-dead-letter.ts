import { DomainError } from "../../base/errors.ts";
import { getDeadLetter, type DeadLetterRecord } from "../../store/events/dead-letter-list.ts";
import type { Db } from "../../store/postgres/database.ts";
import { SERIAL_ID_SHAPE } from "../http/cursor.ts";
import { MAX_SHOWN_BYTES } from "./show-dead-letter.ts";

/** A dead letter with as much of its content as is shown. Throws: DEAD_LETTER_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findDeadLetter(db: Db, deadLetterId: string): Promise<DeadLetterRecord> {
  const letter = SERIAL_ID_SHAPE.test(deadLetterId) ? await getDeadLetter(db, deadLetterId, MAX_SHOWN_BYTES) : undefined;
  if (letter === undefined) throw new DomainError("DEAD_LETTER_NOT_FOUND");
  return letter;
}
