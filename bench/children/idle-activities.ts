import type { Activities } from "../../activities/index.ts";

interface AnyInput {
  readonly requestHash?: string;
  readonly order?: { readonly requestHash?: string };
}

/**
 * Activities that do nothing, under whatever names the workflows of Saldo call them. Each answers as the row of an order that was just
 * created would, which every step of a wallet order can go on with.
 */
export function idleActivities(): Activities {
  const answer = async (input?: AnyInput) => ({
    requestHash: input?.requestHash ?? input?.order?.requestHash,
    sagaState: "STARTED",
    status: "PENDING",
  });
  // The SDK runs the activity of the name `default` for every name that it does not find.
  return { default: answer } as unknown as Activities;
}
