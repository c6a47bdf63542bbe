const CONTROL = /\p{Cc}/u;
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/;

/** How many characters an id may have that names a service, an order or a reservation. */
export const MAX_ID_LENGTH = 64;
/** How many characters a user's id may have: as many as the `sub` of a token (OpenID Connect Core 1.0, section 2), which is the id of its user. */
export const MAX_USER_ID_LENGTH = 255;

/** Why a text cannot be an id, in words that follow its field's name; undefined when it can. Every way in asks this. */
export function idProblem(text: string, maxLength: number = MAX_ID_LENGTH): string | undefined {
  if (text.length === 0) return "must not be empty";
  if (text.length > maxLength && Array.from(text).length > maxLength) return `must have at most ${maxLength} characters`;
  if (CONTROL.test(text)) return "must not have control characters";
  // An id such as `..` could be stored but never asked for: clients and proxies remove it from an address.
  if (DOT_SEGMENT.test(text)) return "must not be or contain a path such as ..";
  return undefined;
}
