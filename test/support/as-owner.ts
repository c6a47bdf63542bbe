import postgres from "postgres";

/** Runs the work as the database's owner, who may do what the application's role may not. Throws: what the work throws. */
export async function asOwner<Result>(adminUrl: string, work: (owner: postgres.Sql) => Promise<Result>): Promise<Result> {
  const owner = postgres(adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return await work(owner);
  } finally {
    await owner.end({ timeout: 5 });
  }
}
