interface Waiting<Input, Output> {
  readonly input: Input;
  readonly resolve: (output: Output) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatcherOptions<Input, Output> {
  /** Inputs of one run at most. */
  readonly maxBatch: number;
  /** Runs at the same time at most. */
  readonly parallel: number;
  /** Returns an output for each input, in their order. An error fails the callers of this run and no others. */
  readonly run: (inputs: readonly Input[]) => Promise<readonly Output[]>;
}

/**
 * A function that answers callers of the same moment with one run. Each run begins after its callers asked, so that it sees
 * everything that was done before; callers that come while all runs are under way share the next one, in the order of asking.
 */
export function createBatcher<Input, Output>({
  maxBatch,
  parallel,
  run,
}: BatcherOptions<Input, Output>): (input: Input) => Promise<Output> {
  let queue: Waiting<Input, Output>[] = [];
  let running = 0;
  let planned = false;

  const plan = () => {
    if (planned || queue.length === 0 || running >= parallel) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      const batch = queue.slice(0, maxBatch);
      queue = queue.slice(maxBatch);
      running += 1;
      void settle(run, batch).finally(() => {
        running -= 1;
        plan();
      });
      plan();
    });
  };

  return (input) =>
    new Promise((resolve, reject) => {
      queue.push({ input, resolve, reject });
      plan();
    });
}

async function settle<Input, Output>(run: BatcherOptions<Input, Output>["run"], batch: readonly Waiting<Input, Output>[]): Promise<void> {
  try {
    const outputs = await run(batch.map(({ input }) => input));
    if (outputs.length !== batch.length) throw new Error(`${outputs.length} answers were given to ${batch.length} callers`);
    for (const [place, { resolve }] of batch.entries()) resolve(outputs[place] as Output);
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
