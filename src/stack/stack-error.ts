export type StackErrorCode =
  | "TOOL_MISSING"
  | "PORT_TAKEN"
  | "SERVER_FAILED"
  | "ADDRESS_UNREACHABLE"
  | "ALREADY_RUNNING"
  | "DATA_UNUSABLE"
  | "STOPPED";

/** Why the stack cannot start, in one sentence that a person at a terminal can act on. */
export class StackError extends Error {
  override readonly name = "StackError";
  readonly code: StackErrorCode;

  constructor(code: StackErrorCode, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

/** The error of a missing tool. Its sentence says what is missing, how to get it, and that `docker compose up` works without it. */
export function toolMissing(server: string, need: string): StackError {
  return new StackError("TOOL_MISSING", `${server} cannot be had: ${need}; or run everything with \`docker compose up\`.`);
}

/** The message of any thrown value, on one line. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, " ").trim();
}
