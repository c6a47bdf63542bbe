import { proxyLocalActivities } from "@temporalio/workflow";

const { doNothing } = proxyLocalActivities<{ doNothing(): Promise<void> }>({ startToCloseTimeout: "12 seconds" });

/** One local activity that does nothing. */
export async function oneStep(): Promise<void> {
  await doNothing();
}

/** Three local activities that do nothing, one after the other. */
export async function threeSteps(): Promise<void> {
  await doNothing();
  await doNothing();
  await doNothing();
}
