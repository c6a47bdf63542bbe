import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { filesIn, findKept } from "./start/kept-roles.ts";
import { START_ENTRIES } from "./start/role-entries.ts";

// A cache folder that only a file names is not found here, and the start runs from its sources: slower, and the same.
const cacheDir = resolve(process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo"));
const kept = await findKept(START_ENTRIES, cacheDir);
if (kept === undefined) await import("./start/run-start.ts");
else createRequire(import.meta.url)(filesIn(kept, START_ENTRIES).start);
