export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** What a row is and what bounds it, kept beside its name so that the page says both. */
export interface RowText {
  readonly what: string;
  /** Undefined for an absolute row. */
  readonly baseline?: string;
  readonly unit: string;
  /** Without a goal the row is only for comparison. */
  readonly goal?: Goal;
  /** What bounds the figure, and what would move it. */
  readonly bounds: string;
}

const EMPTY = "empty workflows, started the ordinary way, 50 at a time";

const texts = {
  orders: {
    what: "wallet orders over HTTP to COMPLETED, 50 at a time",
    baseline: EMPTY,
    unit: "/s",
    goal: { atLeast: 1 },
    bounds:
      "Processor, shared by all processes on the machine: the api with the worker inside it and Temporal's server take most of an order, the relay and Kafka publish its messages.",
  },
  "orders-floor": {
    what: "the same",
    baseline: "the saga without its work: Saldo's order over activities that do nothing, started eagerly, 50 at a time",
    unit: "/s",
    goal: { atLeast: 0.8 },
    bounds:
      "What is left between this ratio and 1 is Saldo's own work on an order: HTTP, the statements, the messages, and the roles that share the machine.",
  },
  "orders-dbos": {
    what: "the same",
    baseline:
      "the same three steps on DBOS Transact, each one plain statement, same Postgres, no HTTP, double entry, outbox or Kafka, 50 at a time",
    unit: "/s",
    goal: { atLeast: 0.4 },
    bounds:
      "DBOS keeps its steps in Postgres, so an order there costs no server but Postgres; Temporal's server writes its own history of each workflow.",
  },
  "order-processor": {
    what: "processor per order, all processes but the benchmark's own client",
    baseline: "processor per empty workflow: its client, its worker and Temporal's server",
    unit: "ms",
    goal: { atMost: 1.2 },
    bounds:
      "The same as the row `orders`, without the time that processes wait for each other. Messages that are published after the answer are in it.",
  },
  "order-latency": {
    what: "an order over HTTP to COMPLETED, one at a time",
    baseline: "an empty workflow, from its start to its result, one at a time",
    unit: "ms",
    goal: { atMost: 1.7 },
    bounds:
      "The round trips that follow each other: the start of the workflow, its steps on Postgres, and its end, each durable before the next.",
  },
  "order-latency-dbos": {
    what: "the same",
    baseline: "the three steps on DBOS Transact, one at a time",
    unit: "ms",
    bounds: "DBOS commits to one Postgres; Temporal commits to its own store as well.",
  },
  reservations: {
    what: "reservations placed and confirmed over HTTP, 50 at a time",
    baseline: "two empty workflows, one after the other, 50 at a time",
    unit: "/s",
    goal: { atLeast: 0.8 },
    bounds:
      "A reservation is a workflow with a timer: placing it is one workflow task, in the process that took the request, and the confirmation is an update, which takes a task of its own.",
  },
  "workflow-eager": {
    what: "an empty workflow, started eagerly, 50 at a time",
    baseline: EMPTY,
    unit: "/s",
    bounds: "What the dispatch of a first task by Temporal's server costs.",
  },
  "workflow-one-step": {
    what: "a workflow with one local activity that does nothing, started eagerly, 50 at a time",
    baseline: EMPTY,
    unit: "/s",
    bounds: "One more activation of the workflow's sandbox.",
  },
  "workflow-three-steps": {
    what: "a workflow with three local activities one after the other, started eagerly, 50 at a time",
    baseline: EMPTY,
    unit: "/s",
    bounds: "Three more activations: what each step of a workflow costs whatever it does.",
  },
  "workflow-saga": {
    what: "the saga without its work, started eagerly, 50 at a time",
    baseline: EMPTY,
    unit: "/s",
    bounds:
      "The saga's own steps, handlers, details and search attributes, without any of Saldo's work: the floor of an order on Temporal.",
  },
  transfers: {
    what: "transfers through the ledger, 256 at a time, random accounts",
    baseline: "the same writes in plain SQL, one transfer per commit, 16 clients",
    unit: "/s",
    goal: { atLeast: 5 },
    bounds: "Postgres's processor: one statement carries up to 200 transfers, so a commit and a round trip are shared.",
  },
  "hot-transfers": {
    what: "the same, all to one account",
    baseline: "the same writes in plain SQL, all to one account",
    unit: "/s",
    goal: { atLeast: 15 },
    bounds: "Plain transactions wait for each other's lock on the hot row; a batch takes it once.",
  },
  deposits: {
    what: "deposits over HTTP, 64 at a time",
    baseline: "an empty endpoint of the same app (`GET /healthz`, which asks for no token and no limit), 64 at a time",
    unit: "/s",
    goal: { atLeast: 0.6 },
    bounds:
      "The api's single thread: token, limits, idempotency, validation, one statement of the ledger shared by those of the same moment, the answer.",
  },
  balance: {
    what: "`GET` of a balance, 64 at a time",
    baseline: "the same empty endpoint",
    unit: "/s",
    goal: { atLeast: 0.8 },
    bounds: "The api's single thread; reads of the same moment share a statement.",
  },
  "cached-balance": {
    what: "`GET` of a balance that Redis has, 64 at a time",
    baseline: "the same through a process with `BALANCE_CACHE=off`",
    unit: "/s",
    bounds:
      "The api's single thread, which costs the same on either side; Postgres does nothing for it. One command answers all reads of the same moment.",
  },
  "cached-mix": {
    what: "16 such reads and one deposit in turn, 64 at a time",
    baseline: "the same through a process with `BALANCE_CACHE=off`, whose deposits mark as well",
    unit: "/s",
    bounds: "The same, and the first read after each deposit, which asks Redis, Postgres, and fills the cache.",
  },
  operations: {
    what: "the list of a user's last 20 operations, 64 at a time",
    baseline: "`GET` of a balance, 64 at a time",
    unit: "/s",
    goal: { atLeast: 0.5 },
    bounds: "Twenty operations with their balances turned into JSON; first pages of the same moment share a statement.",
  },
  "events-ledger": {
    what: "purchase events, Kafka to committed ledger",
    baseline: "the same operations through the ledger alone, in batches of 200, no Kafka and no Temporal",
    unit: "/s",
    goal: { atLeast: 0.6 },
    bounds:
      "Reading and checking of each event, one workflow for each batch, receipts beside the operations, and the offset after all of that.",
  },
  events: {
    what: "the same",
    baseline: "a bare kafkajs consumer, one multi-row INSERT for each batch, no ledger",
    unit: "/s",
    goal: { atLeast: 0.25 },
    bounds: "The ledger writes an operation, a posting, two balances and a message for each event, where the bare consumer writes one row.",
  },
  report: {
    what: "a month's revenue report over 5,000,000 postings, to its CSV file",
    baseline: "the same GROUP BY by psql with \\copy",
    unit: "s",
    goal: { atMost: 1.5 },
    bounds:
      "Postgres reads the month's postings once. What a report has that the query has not: it sees exactly the postings of its snapshot, and keeps its lines.",
  },
  "big-transfers": {
    what: "a transfer's median time at 1,000,000 accounts and 10,000,000 postings, one at a time",
    baseline: "the same at 10,000 accounts",
    unit: "ms",
    goal: { atMost: 1.3 },
    bounds:
      "Deeper indexes and colder pages: every look-up is by key, so the cost grows with the depth of a B-tree and not with the number of rows.",
  },
  start: {
    what: "`npm start` until everything is ready, caches warm",
    unit: "s",
    goal: { atMost: 6 },
    bounds:
      "The start of the servers, of which Kafka and Temporal are the slowest, then the roles, each a process that loads its code; two cores run all of it.",
  },
} satisfies Record<string, RowText>;

export type RowName = keyof typeof texts;

/** The text of every row, in the order of the table. */
export const ROW_TEXTS: Readonly<Record<RowName, RowText>> = texts;
export const ROW_NAMES = Object.keys(texts) as readonly RowName[];
