import type { BookFile } from "./book-file.ts";
import { contentHashOf, type Book, type BookEntry } from "./book.ts";
import { answerAfterEffect, answerWithoutEffect, internalError, paymentAnswer, refused, type Answer } from "./provider-answers.ts";
import { behaviourOf, type Behaviour, type Script, type Step } from "./scripts.ts";
import { TEST_CARDS } from "./test-cards.ts";
import type { Vault } from "./vault.ts";
import type { PaymentRequest } from "./wire.ts";

/** One request that reached the provider, and how the provider behaved. Kept in memory only, for tests that count requests. */
export interface Call {
  readonly at: string;
  readonly step: Step;
  readonly key: string;
  readonly behaviour: Behaviour;
}

/** The provider without its HTTP. An answer that tells of a step is given only when the step is on the disk. */
export interface Provider {
  /** Puts a card into the vault and answers with its token. Throws: INVALID_CARD. */
  tokenise(card: { number: string; expiry: string; cvc: string; holderName?: string | undefined }): Promise<Answer>;
  /** Executes a step, once for each key. */
  pay(request: PaymentRequest): Promise<Answer>;
  /** Answers with the step that stands under a key. */
  lookUp(key: string): Promise<Answer>;
  /** Adds a script that goes before the present ones. */
  addScript(script: Script): void;
  clearScripts(): void;
  /** Ends the stored 500 of a key, without a key that of every key: the next request with it is executed. Returns the keys. */
  reconcile(key?: string): Promise<string[]>;
  book(): { readonly entries: readonly BookEntry[]; readonly calls: readonly Call[] };
}

const MAX_CALLS = 100_000;

/** The provider over its book and its vault. `sleep` delays its slow answers. */
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
    // A reconciled key gets no stored 500 a second time.
    const behaviour = drawn.startsWith("stored-500") && book.wasReconciled(key) ? "approve" : drawn;
    calls.push({ at: deps.now().toISOString(), step, key, behaviour });
    if (calls.length > MAX_CALLS) calls.shift();
    if (behaviour === "slow") await deps.sleep(deps.slowMs);
    return behaviour;
  };

  /** Writes to the book what a request does, which the book does not know yet. */
  const execute = async (request: PaymentRequest, behaviour: Behaviour): Promise<void> => {
    const at = deps.now().toISOString();
    const storedError = { type: "stored-error", key: request.key, contentHash: contentHashOf(request), at } as const;
    const declineReason = declineReasonOf(behaviour);
    const done = book.decide(request, { at, ...(declineReason === undefined ? {} : { declineReason }) });
    if (behaviour === "stored-500-uncharged") await write([storedError]);
    else if (behaviour === "stored-500-charged") await write([...done, storedError]);
    else await write(done);
  };

  return {
    async tokenise(card) {
      const behaviour = await begin("tokenise", "", undefined);
      const entry = deps.vault.tokenise(card, deps.now());
      const spoilt = answerWithoutEffect(behaviour);
      if (spoilt !== undefined) return spoilt;
      await write(book.token(entry.token) === undefined ? [entry] : []);
      const { token, last4, brand } = entry;
      return answerAfterEffect(behaviour) ?? { status: 201, body: { token, last4, brand } };
    },
    async pay(request) {
      const behaviour = await begin(request.kind, request.key, cardTokenOf(book, request));
      const contentHash = contentHashOf(request);
      const stored = book.storedError(request.key);
      const known = book.payment(request.key);
      const knownHash = stored?.contentHash ?? known?.contentHash ?? contentHash;
      if (knownHash !== contentHash) return refused(422, "key_reused", "the same key was used before with other content");
      const spoilt = answerWithoutEffect(behaviour);
      if (spoilt !== undefined) return spoilt;
      if (stored !== undefined) return await file.append([]).then(() => internalError());
      if (known === undefined) await execute(request, behaviour);
      else await file.append([]);
      const payment = book.payment(request.key);
      if (payment === undefined) return internalError();
      return answerAfterEffect(behaviour) ?? paymentAnswer(payment);
    },
    async lookUp(key) {
      const behaviour = await begin("look-up", key, undefined);
      const spoilt = answerWithoutEffect(behaviour) ?? answerAfterEffect(behaviour);
      if (spoilt !== undefined) return spoilt;
      await file.append([]);
      const payment = book.payment(key);
      return payment === undefined ? refused(404, "not_found", "nothing stands under this key") : paymentAnswer(payment);
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
