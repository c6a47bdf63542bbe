import { createLogger } from "../src/adapters/logger.ts";
import { untilAborted } from "../src/base/aborted.ts";
import { loadRoleConfig } from "../src/config.ts";
import { startSimulator } from "../src/psp-simulator/simulator.ts";
import { required } from "./parts/required.ts";
import { runRole } from "./parts/run-role.ts";

void runRole("psp", async ({ signal, ready }) => {
  const config = loadRoleConfig({ plays: true });
  const logger = createLogger({ role: "psp", level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  const broken = new AbortController();
  const simulator = await startSimulator({
    dataDir: config.DATA_DIR,
    host: config.PSP_HOST,
    port: config.PSP_PORT,
    apiKey: required(config.PSP_API_KEY, "PSP_API_KEY"),
    onBroken: (error) => broken.abort(error),
  });
  logger.info(
    { event: "psp.listening", url: simulator.url, entries: simulator.provider.book().entries.length },
    "the payment provider's simulator listens",
  );
  if (config.NODE_ENV === "production")
    logger.warn(
      { event: "psp.simulated" },
      "this payment provider is a simulator: it confirms cards and moves no money; PSP_KIND names a real one",
    );
  ready();
  await Promise.race([untilAborted(signal), untilAborted(broken.signal)]);
  await simulator.stop();
  // The book in memory and the book on disk may differ now: only a new process that reads the disk again has the right one.
  if (broken.signal.aborted) throw broken.signal.reason;
});
