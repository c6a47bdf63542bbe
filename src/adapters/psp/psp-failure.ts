/** A request to the payment provider whose outcome is unknown, or that was not accepted. The breaker counts these and nothing else. */
export class PspFailure extends Error {
  override readonly name = "PspFailure";
  /** The provider asked to wait this long. */
  readonly retryAfterMs: number | undefined;
  /** True when asking again at once cannot help: the address or the API key is wrong. */
  readonly hopeless: boolean;

  constructor(reason: string, options: { readonly retryAfterMs?: number; readonly hopeless?: boolean } = {}) {
    super(reason);
    this.retryAfterMs = options.retryAfterMs;
    this.hopeless = options.hopeless ?? false;
  }
}
