/** Starts and ends: what any workflow costs on this server. */
export async function emptyWorkflow(): Promise<void> {}
