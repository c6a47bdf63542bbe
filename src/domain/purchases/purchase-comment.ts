/** Where the name of a purchase's user came from. */
export type PurchaseSource = "http" | "kafka";

/** How a purchase was paid, as its comment says. */
interface Paid {
  /** One of the API's own methods over HTTP; any text from Kafka. */
  readonly paymentMethod: string;
  readonly card?: { readonly brand: string; readonly last4: string } | undefined;
}

/** The comment of a purchase that was made over HTTP. */
export function madePurchaseComment(username: string, { paymentMethod, card }: Paid): string {
  const by = card === undefined ? "" : ` (${card.brand} ****${card.last4})`;
  return `purchase of ${username} paid by ${paymentMethod}${by}`;
}

/** The comment of a purchase that an event told. The name is quoted as JSON, as the method behind it may be any text. */
export function toldPurchaseComment(username: string | undefined, paymentMethod: string, place: string): string {
  const of = username === undefined ? "" : ` of ${JSON.stringify(username)}`;
  return `purchase${of} paid by ${paymentMethod}, event ${place}`;
}

// The methods of the API are words without a space, so the last " paid by " of a comment is the one between name and method.
const MADE = /^purchase of (.+) paid by \w+(?: \(.*\))?$/s;
const TOLD = /^purchase of ("(?:[^"\\]|\\.)*") paid by /;

/** The name in a purchase's comment; undefined when the comment is of another form, or its event had none. */
export function usernameIn(comment: string, source: PurchaseSource): string | undefined {
  if (source === "http") return MADE.exec(comment)?.[1];
  const [, quoted] = TOLD.exec(comment) ?? [];
  return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
}
