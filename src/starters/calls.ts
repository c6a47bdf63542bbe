import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  QueryNotRegisteredError,
  QueryRejectedError,
  type WorkflowClient,
  type WorkflowExecutionDescription,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
} from "@temporalio/client";
import { ApplicationFailure, type QueryDefinition, type SignalDefinition, TerminatedFailure, TimeoutFailure } from "@temporalio/common";
import type { Breaker } from "../adapters/breaker.ts";
import { unlessAborted } from "../base/aborted.ts";
import { withinOrNothing, withinOrThrow } from "../base/deadline.ts";
import { causesOf, DomainError, isErrorCode, messageOf } from "../base/errors.ts";
import type { OrderSagaInput } from "../contract/orders.ts";
import { CARRIED_OVER } from "../contract/reservations.ts";
import type { EndedOrders } from "./ended-orders.ts";
import type { PlacedHolds } from "./placed-holds.ts";

/** The status codes of gRPC that a call of Temporal may end with (grpc/grpc, doc/statuscodes.md). */
const grpcStatus = {
  CANCELLED: 1,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;
const UNREACHABLE = new Set<number>([grpcStatus.UNAVAILABLE, grpcStatus.RESOURCE_EXHAUSTED, grpcStatus.ABORTED, grpcStatus.INTERNAL]);
const TOO_LATE = new Set<number>([grpcStatus.DEADLINE_EXCEEDED, grpcStatus.CANCELLED]);
/** The failures that the server itself answers an update with (temporalio/temporal, service/history/workflow/update/errors_failures.go). */
const serverFailure = { unprocessed: "UnprocessedUpdate", workflowCompleted: "AcceptedUpdateCompletedWorkflow" } as const;

/** The server's words when a run has taken as many updates as it may (temporalio/temporal, service/history/workflow/update/registry.go). */
const SPOKEN_OUT = /limit on the total number/i;
/** Its words when a workflow task was lost with the update, or the workflow is closing: sent again the update may be served. */
const NOT_READY = /workflow task|closing|not ready/i;

const DROPPED_PAUSE_MS = 50;
const CLOSING = "the workflow was closing";
const TOO_SLOW = "Temporal did not answer in time";

export interface StarterOptions {
  readonly client: Client;
  /**
   * Starts orders, batches of events and saga commands eagerly: only where this process runs a worker of the orders queue on the
   * client's own connection.
   */
  readonly eager: boolean;
  /** How long any one call may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Refuses calls at once while Temporal does not answer. Without it each call waits for its deadline. */
  readonly breaker?: Breaker;
  /** The orders whose end the workers of this process commit. Without it an order's end is known by its workflow alone. */
  readonly endedOrders?: EndedOrders;
  /** The holds that the workers of this process place. Without it a reservation is known to be held by its workflow alone. */
  readonly placedHolds?: PlacedHolds;
  /**
   * Begins to pay an order of a wallet whose first task this process has, while that task is on its way to the step that pays. Without it
   * the step alone pays.
   */
  readonly payAhead?: (order: OrderSagaInput, run: { readonly workflowId: string; readonly runId: string }) => void;
}

/** A workflow that was started, or that was started already under the same id. */
export interface Started<Outcome> {
  readonly workflowId: string;
  readonly alreadyStarted: boolean;
  /** True when a worker of this process has its first task already. */
  readonly isHere?: boolean;
  /** The run that was started; undefined when it was started already. */
  readonly runId?: string;
  /** Waits for the end, at most `waitMs`; undefined when the workflow has not ended by then. */
  outcome(waitMs: number): Promise<Outcome | undefined>;
  /** To be called when the outcome will not be waited for: then nothing is kept for it. */
  forget?(): void;
}

type Work<Result> = (workflows: WorkflowClient) => Promise<Result>;

/**
 * Calls of Temporal as every starter makes them: each has a deadline, and Temporal's errors are codes of the catalogue.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED when Temporal is not reachable or too slow, and the catalogue's code that a workflow
 * refused with.
 */
export interface Calls {
  /** One call, sent once. */
  call<Result>(work: Work<Result>): Promise<Result>;
  /** Starts a workflow of this type; `alreadyStarted` when its id is taken and the policies in `options` refuse another run. */
  start<Outcome>(type: string, workflowId: string, options: Omit<WorkflowStartOptions, "workflowId">): Promise<Started<Outcome>>;
  /**
   * Sends an update; undefined when the workflow does not run, or its run takes no more updates. An update that the server dropped before
   * the workflow saw it, or that the workflow's next run goes on with, is sent again, so `work` must give it one id for all its calls.
   */
  update<Result>(work: Work<Result>): Promise<Result | undefined>;
  /** Asks a workflow; undefined when there is none under this id or it does not answer. */
  query<Answer>(workflowId: string, query: QueryDefinition<Answer>): Promise<Answer | undefined>;
  /** Sends a signal to a workflow; false when it does not run. */
  tell<News>(workflowId: string, signal: SignalDefinition<[News]>, news: News): Promise<boolean>;
  /** What the server knows of a workflow; undefined when it knows none under this id. */
  describe(workflowId: string): Promise<WorkflowExecutionDescription | undefined>;
  /** Whether a workflow runs under this id at this moment. */
  isOpen(workflowId: string): Promise<boolean>;
  /** Waits for a workflow's end, without a deadline; `signal` stops the wait, not the workflow. Throws: UNAVAILABLE when it does. */
  resultOf<Result>(workflowId: string, signal: AbortSignal): Promise<Result>;
}

/** Who answers a call: the server alone, or a worker as well. */
type Answerer = "server" | "worker";

/** The calls over a client of Temporal. */
export function createCalls({ client, deadlineMs, breaker }: Pick<StarterOptions, "client" | "deadlineMs" | "breaker">): Calls {
  const guarded = async <Result>(work: Work<Result>, answerer: Answerer): Promise<Result> => {
    const once = () => callWithin(client, deadlineMs, work);
    if (breaker === undefined) return await once();
    let isOutage = false;
    const attempt = () =>
      once().catch(async (error: unknown) => {
        isOutage = await isServerOutage(client, error, answerer);
        throw error;
      });
    return await breaker.run(attempt, () => isOutage);
  };
  const call = <Result>(work: Work<Result>): Promise<Result> => guarded(work, "server");
  /** Undefined instead of an error when there is no such workflow or it has ended. */
  const ifRunning = async <Result>(work: Work<Result>, answerer: Answerer = "server"): Promise<Result | undefined> => {
    try {
      return await guarded(work, answerer);
    } catch (error) {
      if (error instanceof NotRunning) return undefined;
      throw error;
    }
  };
  const describe = (workflowId: string) => ifRunning((workflows) => workflows.getHandle(workflowId).describe());

  return {
    call,
    describe,

    async start<Outcome>(type: string, workflowId: string, options: Omit<WorkflowStartOptions, "workflowId">) {
      const started = (alreadyStarted: boolean, isHere: boolean, runId?: string): Started<Outcome> => ({
        workflowId,
        alreadyStarted,
        isHere,
        ...(runId === undefined ? {} : { runId }),
        outcome: (waitMs) => outcomeWithin<Outcome>(client, workflowId, waitMs),
      });
      try {
        const { eagerlyStarted, firstExecutionRunId } = await call((workflows) => workflows.start(type, { ...options, workflowId }));
        return started(false, eagerlyStarted, firstExecutionRunId);
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return started(true, false);
        throw error;
      }
    },

    async update(work) {
      for (const untilMs = Date.now() + deadlineMs; ; await sleep(DROPPED_PAUSE_MS)) {
        try {
          return await ifRunning(work, "worker");
        } catch (error) {
          if (!(error instanceof DroppedUpdate) || Date.now() >= untilMs) throw error;
        }
      }
    },

    query: (workflowId, query) => ifRunning((workflows) => workflows.getHandle(workflowId).query(query), "worker"),

    tell: async (workflowId, signal, news) =>
      (await ifRunning(async (workflows) => {
        await workflows.getHandle(workflowId).signal(signal, news);
        return true;
      })) ?? false,

    async isOpen(workflowId) {
      const description = await describe(workflowId);
      return description?.status.name === "RUNNING" || description?.status.name === "PAUSED";
    },

    resultOf: <Result>(workflowId: string, signal: AbortSignal) =>
      translated(() => unlessAborted(client.workflow.getHandle(workflowId).result() as Promise<Result>, signal, waitEnded)),
  };
}

/** True when a call failed because its workflow's id is taken. A signal or an update with a start may say so by a gRPC status only. */
export function isAlreadyStarted(error: unknown): boolean {
  return error instanceof WorkflowExecutionAlreadyStartedError || grpcStatusIn(error) === grpcStatus.ALREADY_EXISTS;
}

/** The workflow is not there or has ended. */
class NotRunning extends Error {
  override readonly name = "NotRunning";
}

/** The workflow never saw the update: sent again it may be served. */
class DroppedUpdate extends DomainError {
  constructor(reason: string, cause: unknown) {
    super("UNAVAILABLE", reason, {}, cause);
  }
}

// A native connection cannot be interrupted; the wait can be left.
const waitEnded = () => new DomainError("UNAVAILABLE", "the wait was ended");

/** How long the server itself may take to tell whether a late answer was its own fault. */
const PROBE_MS = 1_000;

// What one workflow or one caller does too much is no outage, nor is a worker that is late while the server answers.
async function isServerOutage(client: Client, error: unknown, answerer: Answerer): Promise<boolean> {
  if (!(error instanceof DomainError) || error instanceof DroppedUpdate) return false;
  if (error.code === "UNAVAILABLE") return grpcStatusIn(error) === grpcStatus.UNAVAILABLE;
  if (error.code !== "DEADLINE_EXCEEDED") return false;
  if (answerer === "server") return true;
  const probe = client.withDeadline(Date.now() + PROBE_MS, () => client.workflowService.getSystemInfo({}));
  return (await withinOrNothing(probe, PROBE_MS)) === undefined;
}

// The native connection goes on trying after its deadline when nobody answers, so the wait has a timer of its own.
function callWithin<Result>(client: Client, deadlineMs: number, work: Work<Result>): Promise<Result> {
  return withinOrThrow(
    translated(() => client.withDeadline(Date.now() + deadlineMs, () => work(client.workflow))),
    deadlineMs,
    TOO_SLOW,
  );
}

async function outcomeWithin<Outcome>(client: Client, workflowId: string, waitMs: number): Promise<Outcome | undefined> {
  if (waitMs <= 0) return undefined;
  try {
    return await callWithin(client, waitMs, (workflows) => workflows.getHandle(workflowId).result() as Promise<Outcome>);
  } catch (error) {
    // An outcome that is late is an answer here, not an error.
    if (error instanceof DomainError && error.code === "DEADLINE_EXCEEDED") return undefined;
    // The workflow was terminated or timed out: the workflow that is started in its place will have an outcome.
    if (error instanceof WorkflowFailedError && (error.cause instanceof TerminatedFailure || error.cause instanceof TimeoutFailure))
      return undefined;
    throw error;
  }
}

// Each error of Temporal's client becomes a code of the catalogue; an error that says nothing about Temporal is thrown unchanged.
async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asDomainError(error);
  }
}

function asDomainError(error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) return new NotRunning("the workflow is not running", { cause: error });
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    // With many updates at once a workflow task may be lost with its updates, and the workflow may end before an update that it accepted.
    if (error.cause.type === serverFailure.unprocessed) return new DroppedUpdate("the update was not processed", error);
    if (error.cause.type === serverFailure.workflowCompleted) return new NotRunning("the workflow has ended", { cause: error });
    if (error.cause.type === CARRIED_OVER) return new DroppedUpdate(error.cause.message, error);
  }
  if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError) return refusalIn(error.cause) ?? error;
  if (error instanceof WorkflowExecutionAlreadyStartedError) return error;
  if (error instanceof QueryNotRegisteredError || error instanceof QueryRejectedError)
    return new NotRunning("the workflow does not answer queries", { cause: error });
  const status = grpcStatusIn(error);
  if (status === undefined) return error;
  if (status === grpcStatus.NOT_FOUND) return new NotRunning("the workflow is not running", { cause: error });
  if (status === grpcStatus.FAILED_PRECONDITION) return unmetPrecondition(error);
  if (TOO_LATE.has(status)) return new DomainError("DEADLINE_EXCEEDED", TOO_SLOW, {}, error);
  if (status === grpcStatus.RESOURCE_EXHAUSTED && NOT_READY.test(wordsOf(error))) return new DroppedUpdate(CLOSING, error);
  if (UNREACHABLE.has(status)) return new DomainError("UNAVAILABLE", "Temporal is not reachable", {}, error);
  return error;
}

// Several refusals of the server share this status, and only some of them pass by themselves.
function unmetPrecondition(error: unknown): Error {
  const words = wordsOf(error);
  // The rows and their keys decide every race, so the caller does without the workflow.
  if (SPOKEN_OUT.test(words)) return new NotRunning("the workflow's run takes no more updates", { cause: error });
  if (NOT_READY.test(words)) return new DroppedUpdate(CLOSING, error);
  return new DomainError("UNAVAILABLE", `Temporal refuses the call: ${words}`, {}, error);
}

function wordsOf(error: unknown): string {
  return Array.from(causesOf(error), messageOf).join(": ");
}

function refusalIn(error: unknown): DomainError | undefined {
  for (const cause of causesOf(error))
    if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) return new DomainError(cause.type, cause.message, {}, error);
  return undefined;
}

function grpcStatusIn(error: unknown): number | undefined {
  for (const cause of causesOf(error)) if ("code" in cause && typeof cause.code === "number") return cause.code;
  return undefined;
}
