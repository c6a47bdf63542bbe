import { fileURLToPath } from "node:url";

export const PROJECT_DIR = fileURLToPath(new URL("../../../", import.meta.url));

/** The file each role starts from: a source, or JavaScript that was compiled from it. */
export type RoleEntries = {
  readonly api: string;
  readonly worker: string;
  readonly bridge: string;
  readonly relay: string;
  readonly psp: string;
};

export const ROLE_ENTRIES: RoleEntries = {
  api: fileURLToPath(new URL("../../../workers/api.ts", import.meta.url)),
  worker: fileURLToPath(new URL("../../../workers/worker.ts", import.meta.url)),
  bridge: fileURLToPath(new URL("../../../workers/bridge.ts", import.meta.url)),
  relay: fileURLToPath(new URL("../../../workers/relay.ts", import.meta.url)),
  psp: fileURLToPath(new URL("../../../workers/payment-provider.ts", import.meta.url)),
};

/** The roles and `npm start` itself, which all start from what is compiled. */
export const START_ENTRIES = { ...ROLE_ENTRIES, start: fileURLToPath(new URL("./run-start.ts", import.meta.url)) };
