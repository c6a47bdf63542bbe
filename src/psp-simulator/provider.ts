import type { BookFile } from "./book-file.ts";
import { contentHashOf, type Book, type BookEntry, type PaymentEntry } from "./book.ts";
import { behaviourOf, type Behaviour, type Script, type Step } from "./scripts.ts";
import { TEST_CARDS } from "./test-cards.ts";
import type { Vault } from "./vault.ts";
import type { PaymentAnswer, PaymentRequest } from "./wire.ts";

/** What a request is answered with; `hang` is no answer at all. */
export type Answer = { readonly status: number; readonly body: object; readonly retryAfterSeconds?: number } | "hang";

/** One request that reached the provider, whatever became of it. Kept in memory only, for tests that count them. */
export interface Call {
  readonly at: string;
  readonly step: Step;
  readonly key: string;
  readonly behaviour: Behaviour;
}

/** The provider without its HTTP. */
export interface Provider {
  tokenise(card: { number: string; expiry: string; cvc: string; holderName?: string | undefined }): Promise<Answer>;
  /** Does a step once per key. What is answered is on the disk. */
  pay(request: PaymentRequest): Promise<Answer>;
  lookUp(key: string): Promise<Answer>;
  /** Adds a script before those that are there. */
  addScript(script: Script): void;
  clearScripts(): void;
  /** Lets keys with a stored 500 be asked for again; all of them without a key. Answers with the keys. */
  reconcile(key?: string): Promise<string[]>;
  book(): { readonly entries: readonly BookEntry[]; readonly calls: readonly Call[] };
}

const MAX_CALLS = 100_000;
const RETRY_AFTER_SECONDS = 1;

/** The provider over its book and its vault. `sleep` is how it is slow. */
export function createProvider(deps: {
  readonly book: Book;
  readonly file: BookFile;
  readonly vault: Vault;
  readonly slowMs: number;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}): Provider {
  const { book, file } = deps;
  const scripts: Script[] = [];
  const calls: Call[] = [];
  const attempts = new Map<string, number>();

  const write = async (entries: readonly BookEntry[]) => {
    for (const entry of entries) book.apply(entry);
    await file.append(entries);
  };

  const begin = async (step: Step, key: string, cardToken: string | undefined): Promise<Behaviour> => {
    const attempt = (attempts.get(`${step}/${key}`) ?? 0) + 1;
    attempts.set(`${step}/${key}`, attempt);
    const drawn = behaviourOf([...scripts, ...cardScripts(book, cardToken)], { step, key, attempt }) ?? "approve";
    // A key is reconciled by hand once; it is not spoilt a second time.
    const behaviour = drawn.startsWith("stored-500") && book.wasReconciled(key) ? "approve" : drawn;
    calls.push({ at: deps.now().toISOString(), step, key, behaviour });
    if (calls.length > MAX_CALLS) calls.shift();
    if (behaviour === "slow") await deps.sleep(deps.slowMs);
    return behaviour;
  };

  return {
    async tokenise(card) {
      const behaviour = await begin("tokenise", "", undefined);
      const entry = deps.vault.tokenise(card, deps.now());
      const spoilt = withoutEffect(behaviour);
      if (spoilt !== undefined) return spoilt;
      await write(book.token(entry.token) === undefined ? [entry] : []);
      const { token, last4, brand } = entry;
      return afterEffect(behaviour) ?? { status: 201, body: { token, last4, brand } };
    },
    async pay(request) {
      const behaviour = await begin(request.kind, request.key, cardTokenOf(book, request));
      const contentHash = contentHashOf(request);
      const stored = book.storedError(request.key);
      const known = book.payment(request.key);
      const knownHash = stored?.contentHash ?? known?.contentHash ?? contentHash;
      if (knownHash !== contentHash) return refused(422, "key_reused", "the same key was used before with other content");
      const spoilt = withoutEffect(behaviour);
      if (spoilt !== undefined) return spoilt;
      if (stored !== undefined) return await file.append([]).then(() => storedAnswer());
      if (known === undefined) {
        const at = deps.now().toISOString();
        const storedError = { type: "stored-error", key: request.key, contentHash, at } as const;
        const declineReason = declineReasonOf(behaviour);
        const done = book.decide(request, { at, ...(declineReason === undefined ? {} : { declineReason }) });
        if (behaviour === "stored-500-uncharged") await write([storedError]);
        else if (behaviour === "stored-500-charged") await write([...done, storedError]);
        else await write(done);
      } else await file.append([]);
      const payment = book.payment(request.key);
      if (payment === undefined) return storedAnswer();
      return afterEffect(behaviour) ?? { status: 200, body: answerOf(payment) };
    },
    async lookUp(key) {
      const behaviour = await begin("look-up", key, undefined);
      const spoilt = withoutEffect(behaviour) ?? afterEffect(behaviour);
      if (spoilt !== undefined) return spoilt;
      await file.append([]);
      const payment = book.payment(key);
      return payment === undefined ? refused(404, "not_found", "nothing stands under this key") : { status: 200, body: answerOf(payment) };
    },
    addScript: (script) => void scripts.unshift(script),
    clearScripts: () => void scripts.splice(0),
    async reconcile(key) {
      const keys = book.storedErrors().map((entry) => entry.key);
      const chosen = key === undefined ? keys : keys.filter((each) => each === key);
      const at = deps.now().toISOString();
      await write(chosen.map((each) => ({ type: "reconciled", key: each, at })));
      return chosen;
    },
    book: () => ({ entries: book.entries(), calls }),
  };
}

/** An error as the provider words it. */
export function refused(status: number, code: string, message: string, pointer?: string): Exclude<Answer, "hang"> {
  return { status, body: { error: { code, message, ...(pointer === undefined ? {} : { pointer }) } } };
}

function storedAnswer(): Answer {
  return refused(500, "internal", "something went wrong");
}

function withoutEffect(behaviour: Behaviour): Answer | undefined {
  if (behaviour === "hang") return "hang";
  if (behaviour === "5xx") return refused(503, "unavailable", "try again later");
  if (behaviour === "429") return { ...refused(429, "rate_limited", "too many requests"), retryAfterSeconds: RETRY_AFTER_SECONDS };
  return undefined;
}

function afterEffect(behaviour: Behaviour): Answer | undefined {
  if (behaviour === "charge-then-hang") return "hang";
  return behaviour === "charge-then-500" || behaviour === "stored-500-charged" ? storedAnswer() : undefined;
}

function declineReasonOf(behaviour: Behaviour): string | undefined {
  if (behaviour === "decline") return "card_declined";
  return behaviour === "insufficient-funds" ? "insufficient_funds" : undefined;
}

function cardTokenOf(book: Book, request: PaymentRequest): string | undefined {
  switch (request.kind) {
    case "authorise":
      return request.cardToken;
    case "capture":
    case "cancel":
      return book.payment(request.authorisationKey)?.cardToken;
    case "refund":
      return book.payment(book.payment(request.captureKey)?.authorisationKey ?? "")?.cardToken;
  }
}

function cardScripts(book: Book, cardToken: string | undefined): Script[] {
  const name = cardToken === undefined ? undefined : book.token(cardToken)?.testCard;
  const card = TEST_CARDS.find((each) => each.name === name);
  if (card === undefined) return [];
  const script: Script = { kinds: [card.behaviour], rate: 1, seed: 1, steps: [...card.steps] };
  return [card.timesPerKey === undefined ? script : { ...script, timesPerKey: card.timesPerKey }];
}

function answerOf({ key, kind, status, reason, reference, orderId, amountMinor, currency }: PaymentEntry): PaymentAnswer {
  return { key, kind, status, ...(reason === undefined ? {} : { reason }), reference, orderId, amountMinor, currency };
}
