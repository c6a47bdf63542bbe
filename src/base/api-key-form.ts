/** What every API key of Saldo begins with, by which people and scanners of secrets recognise one. */
export const API_KEY_PREFIX = "saldo_live_";

const WRITTEN_KEY = new RegExp(`${API_KEY_PREFIX}([a-z]{16})_[0-9a-f]+`, "g");

/** The text with the secret of every API key in it taken out; the key's id stays, by which an operator can revoke it. */
export function maskApiKeys(text: string): string {
  return text.includes(API_KEY_PREFIX) ? text.replaceAll(WRITTEN_KEY, `${API_KEY_PREFIX}$1_****`) : text;
}
