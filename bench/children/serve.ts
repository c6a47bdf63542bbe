import { messageOf } from "../../src/base/errors.ts";

/** What a child process can be asked to do. Inputs and results are JSON. */
export type Commands = Readonly<Record<string, (input: never) => Promise<unknown>>>;

/** A child that was opened. */
interface OpenChild {
  readonly commands: Commands;
  close(): Promise<void>;
}

/** What goes to the child, and what it answers. `open` is the command that comes first. */
export interface ChildRequest {
  readonly id: number;
  readonly command: string;
  readonly input: unknown;
}

export interface ChildAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/**
 * Serves the commands that `open` makes of the parent's first message, and the command `close`. The process ends when its parent does, or
 * lets it go.
 */
export function serveParent(open: (input: never) => Promise<OpenChild>): void {
  let opened: Promise<OpenChild> | undefined;
  const run = async ({ command, input }: ChildRequest): Promise<unknown> => {
    if (command === "open") {
      await (opened = open(input as never));
      return undefined;
    }
    const child = await opened;
    if (command === "close") return await child?.close();
    const work = child?.commands[command];
    if (work === undefined) throw new Error(`this child knows no ${command}`);
    return await work(input as never);
  };
  process.on("message", (request: ChildRequest) => {
    const answer = (fields: Omit<ChildAnswer, "id">) => void process.send?.({ id: request.id, ...fields });
    run(request).then(
      (result) => answer({ result }),
      (error: unknown) => answer({ error: messageOf(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C reaches the whole group of a terminal; the parent decides when its children end.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
}
