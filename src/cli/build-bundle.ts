import { loadConfig } from "../config.ts";
import { runCommand } from "./kit/command.ts";
import { createStartSteps } from "./start/start-steps.ts";

const USAGE = `node --import tsx src/cli/build-bundle.ts [FOLDER]

For the image: bundles the workflows into FOLDER (default: CACHE_DIR) and prints the path of the bundle.
`;

process.exitCode = await runCommand({
  name: "build-bundle",
  usage: USAGE,
  maxPositionals: 1,
  options: {},
  run: async ({ positionals: [folder] }) => {
    const config = loadConfig();
    process.stdout.write(await createStartSteps(config).buildWorkflowBundle(folder ?? config.CACHE_DIR));
    return 0;
  },
});
