import { createHmac, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkCard } from "../domain/cards/card.ts";
import type { TokenEntry } from "./book.ts";
import { TEST_CARDS } from "./test-cards.ts";

/** Turns cards into tokens. A simulator never charges a real card, so its vault keeps no number: a token is a keyed hash of it (HMAC-SHA256). */
export interface Vault {
  /** The entry of a card as of `at`; the same card has the same token. Throws: INVALID_CARD. */
  tokenise(card: { number: string; expiry: string; cvc: string; holderName?: string | undefined }, at: Date): TokenEntry;
}

/** Opens the vault over its own key in `directory`. Makes the key the first time. */
export async function openVault(directory: string): Promise<Vault> {
  const vaultKey = await readOrCreateKey(directory);
  return {
    tokenise({ holderName: _never, ...card }, at) {
      const { number, expiry, last4, brand } = checkCard(card, at);
      const token = `tok_${createHmac("sha256", vaultKey).update(`${number}|${expiry}`).digest("hex").slice(0, 32)}`;
      const testCard = TEST_CARDS.find((each) => each.number === number)?.name;
      return { type: "token", token, last4, brand, ...(testCard === undefined ? {} : { testCard }), at: at.toISOString() };
    },
  };
}

async function readOrCreateKey(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, "vault-key");
  try {
    await writeFile(path, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return await readFile(path, "utf8");
}
