export { emptyWorkflow } from "./empty-workflow.ts";
export { oneStep, threeSteps } from "./steps.ts";
