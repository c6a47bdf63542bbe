import { createStartSteps } from "./start-steps.ts";
import { loadConfig } from "../config.ts";

// For the image: bundles the workflows into the folder of the first argument and prints the path of the bundle.
const [directory = loadConfig().CACHE_DIR] = process.argv.slice(2);
process.stdout.write(await createStartSteps(loadConfig()).buildWorkflowBundle(directory));
