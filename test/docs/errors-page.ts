import { STATUSES } from "../../src/api/http/statuses.ts";
import { ERROR_CATALOGUE, type ErrorCode, type ErrorMeaning } from "../../src/base/errors.ts";

const INTRO = `# Errors

Every error over HTTP is RFC 9457 problem details (\`application/problem+json\`) with one of these codes in \`code\`. The same codes stand in
workflow failures, in the reason of a refused operation, and in dead letters. This page is made by \`npm run docs\` from \`src/base/errors.ts\`.

What to do: **retry** means the same request again, with the same \`Idempotency-Key\`, after \`Retry-After\` seconds where it is given;
**change the request** means that sending the same again gives the same answer; **contact an operator** means that the log has more
under the answer's \`correlationId\`.
`;

/** \`docs/errors.md\`, made of the catalogue and of the status of each code. */
export function errorsPage(): string {
  const rows = (Object.entries(ERROR_CATALOGUE) as [ErrorCode, ErrorMeaning][])
    .toSorted(([left], [right]) => STATUSES[left] - STATUSES[right])
    .map(([code, { title, remedy }]) => `| ${STATUSES[code]} | \`${code}\` | ${title} | ${remedy} |`);
  return `${INTRO}\n| Status | Code | Meaning | What to do |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}
