import { createTestApi } from "../support/http-api.ts";
import { accessPage } from "./access-page.ts";
import { errorsPage } from "./errors-page.ts";

/** The pages of \`docs\` that are made of the code, by file name. */
export async function generatedPages(): Promise<Record<string, string>> {
  // Only the routes are asked for; nothing connects.
  const api = createTestApi({ databaseUrl: "postgres://nobody@127.0.0.1:1/none" });
  try {
    return { "errors.md": errorsPage(), "access.md": accessPage(api.app) };
  } finally {
    await api.close();
  }
}
