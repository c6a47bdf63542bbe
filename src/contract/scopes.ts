/** What the routes that a service may call are about. */
const RESOURCES = ["ledger", "orders", "purchases", "reservations", "services", "users", "events"] as const;
const ACTIONS = ["read", "write"] as const;

export type Resource = (typeof RESOURCES)[number];

/** A part of what the role `service` may do. A scope narrows the role and gives nothing that the role does not give. */
export type Scope = `${Resource}:${(typeof ACTIONS)[number]}`;

/** Every scope. */
export const SCOPES: readonly Scope[] = RESOURCES.flatMap((resource) => ACTIONS.map((action) => `${resource}:${action}` as const));

/** The scopes of `ledger:write` or, for both actions, `ledger:*`; none when it names no scope. Scopes that later releases add are in no `*` of before. */
export function scopesOf(word: string): readonly Scope[] {
  return SCOPES.filter((scope) => scope === word || `${scope.slice(0, scope.indexOf(":"))}:*` === word);
}

/** The scopes of several such words, each once and in one order; undefined when a word names none. */
export function readScopes(words: readonly string[]): readonly Scope[] | undefined {
  const named = words.map(scopesOf);
  return named.some((scopes) => scopes.length === 0) ? undefined : SCOPES.filter((scope) => named.some((scopes) => scopes.includes(scope)));
}
