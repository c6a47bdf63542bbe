/** Starts and ends: its cost is the least that any workflow costs on this server. */
export async function emptyWorkflow(): Promise<void> {}
