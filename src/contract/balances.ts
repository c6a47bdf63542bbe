/** Which balance: a user's, in one currency. */
export interface BalanceKey {
  readonly userId: string;
  readonly currency: string;
}
