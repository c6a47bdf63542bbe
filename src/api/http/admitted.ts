import type { Admission, NewWork, Place } from "./admission.ts";

/**
 * Answers a request for new work in a place of its own; `answer` may give the place back before its end. Any other request has no place.
 * Throws: OVERLOADED, with nothing begun; what `answer` throws.
 */
export async function admitted(
  admission: Admission | undefined,
  newWork: NewWork | undefined,
  answer: (place: Place | undefined) => Promise<Response>,
): Promise<Response> {
  const place = newWork === undefined ? undefined : admission?.enter(newWork.kind);
  try {
    const response = await answer(place);
    place?.leave(isNewlyDone(response) ? "done" : "other");
    return response;
  } finally {
    place?.leave("other");
  }
}

// A repeat, a dry run (200), a refusal and "accepted" say nothing of how long the work takes; neither do the legacy paths, which answer all with 200.
function isNewlyDone({ status, headers }: Response): boolean {
  return status === 201 && !headers.has("idempotency-replayed");
}
