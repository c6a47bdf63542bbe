import { z } from "zod";
import { messageOf } from "../../base/errors.ts";
import { compareWithProvider, type ProviderAgreement, type ProviderMovement } from "../../domain/orders/provider-agreement.ts";
import { readCardOrders } from "../../store/orders/card-orders.ts";
import type { Db } from "../../store/postgres/database.ts";

/** The provider's URL, and the API key that Saldo has there. */
export interface ProviderAddress {
  readonly url: string;
  readonly apiKey: string;
}

/** The provider's book cannot be read. The message says why, as a sentence without a full stop. */
export class NoProviderBook extends Error {
  override readonly name = "NoProviderBook";
}

const DEADLINE_MS = 60_000;
/** A payment that is under way while the two books are read stands in both of them a moment later. */
const PAUSE_MS = 2_000;
const LOOKS = 4;

const bookSchema = z.object({
  entries: z.array(
    z.object({
      type: z.string(),
      kind: z.string().optional(),
      status: z.string().optional(),
      orderId: z.string().optional(),
      amountMinor: z.string().regex(/^\d+$/).optional(),
      currency: z.string().optional(),
    }),
  ),
});

/** The captures and refunds in the provider's own book. Throws: NoProviderBook. */
export async function readProviderBook({ url, apiKey }: ProviderAddress): Promise<ProviderMovement[]> {
  const answer = await ask(new URL("/v1/book", url), apiKey);
  const book = bookSchema.safeParse(answer);
  if (!book.success) throw new NoProviderBook("the payment provider's book is not in the form that is known here");
  return book.data.entries.flatMap(({ type, kind, status, orderId, amountMinor, currency }): ProviderMovement[] => {
    if (type !== "payment" || status !== "approved" || (kind !== "capture" && kind !== "refund")) return [];
    if (orderId === undefined || amountMinor === undefined || currency === undefined) return [];
    return [{ kind, orderId, amountMinor: BigInt(amountMinor), currency }];
  });
}

/**
 * Compares the provider's book with the ledger, also while payments are under way: the two books are not read at one moment, so books that
 * disagree are read again, `LOOKS` times at most. Throws: NoProviderBook, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function compareBooks(db: Db, provider: ProviderAddress, pauseMs: number = PAUSE_MS): Promise<ProviderAgreement> {
  for (let look = 1; ; look += 1) {
    const orders = await readCardOrders(db);
    const agreement = compareWithProvider(orders, await readProviderBook(provider));
    if (agreement.disagreements.length === 0 || look === LOOKS) return agreement;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function ask(url: URL, apiKey: string): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { authorization: `Bearer ${apiKey}` },
      redirect: "manual",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch (error) {
    throw new NoProviderBook(`the payment provider does not answer (${reasonOf(error)})`);
  }
  if (response.status === 200) return await response.json().catch(() => undefined);
  await response.body?.cancel();
  if (response.status === 404) throw new NoProviderBook("the payment provider shows no book");
  throw new NoProviderBook(`the payment provider answered ${response.status}`);
}

function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : messageOf(error);
}
