// The import law: who may import whom. Each folder lists what it may reach of this project; anything else is an error.
const LAW = {
  "src/base": ["src/base"],
  "src/config.ts": ["src/config", "src/base", "src/contract"],
  "src/config": ["src/config", "src/base", "src/contract"],
  "src/contract": ["src/contract", "src/base"],
  "src/domain": ["src/domain", "src/contract", "src/base"],
  drizzle: ["drizzle"],
  "src/store": ["src/store", "drizzle", "src/domain", "src/contract", "src/base"],
  "src/adapters": ["src/adapters", "src/contract", "src/base"],
  "src/events": ["src/events", "src/contract", "src/base"],
  "src/psp-simulator": ["src/psp-simulator", "src/domain", "src/contract", "src/base"],
  "src/starters": ["src/starters", "src/contract", "src/base"],
  "src/use-cases": ["src/use-cases", "src/contract", "src/domain", "src/store", "src/base"],
  "src/ingest": ["src/ingest", "src/contract", "src/events", "src/store", "src/base", "src/domain", "src/use-cases"],
  "src/outbox": ["src/outbox", "src/contract", "src/events", "src/store", "src/base"],
  "src/api": ["src/api", "src/use-cases", "src/contract", "src/domain", "src/base", "src/store"],
  workflows: ["workflows", "src/contract", "src/domain", "src/base"],
  activities: ["activities", "src/contract", "src/domain", "src/base", "src/store"],
  "src/stack": ["src/stack", "src/config.ts", "src/base"],
};

// Types alone may come from here as well: they are gone at run time. The parser does not tell them apart (TypeScript 7 has no
// compiler API), so test/support/check-boundaries.ts reads the import of each of these: it must begin with `import type`.
const TYPES_TOO = {
  workflows: ["activities"],
  activities: ["src/adapters"],
  "src/adapters": ["src/store", "src/config.ts", "src/config"],
  "src/starters": ["workflows", "src/adapters"],
  "src/use-cases": ["src/starters", "src/adapters"],
  "src/ingest": ["src/starters", "src/adapters"],
  "src/outbox": ["src/adapters"],
  "src/api": ["src/starters", "src/adapters"],
};

const escape = (path) => path.replaceAll(".", "\\.");
const within = (paths) => paths.map((path) => (path.endsWith(".ts") ? `^${escape(path)}$` : `^${escape(path)}/`));
const TESTS = "\\.test\\.ts$";
const OURS = "^(src|workflows|activities|workers|drizzle|test|bench)/";

const law = Object.entries(LAW).flatMap(([folder, allowed]) => {
  const from = { path: within([folder]), pathNot: TESTS };
  const typesToo = TYPES_TOO[folder] ?? [];
  return [
    { name: `law:${folder}`, severity: "error", from, to: { path: OURS, pathNot: within([...allowed, ...typesToo]) } },
    ...(typesToo.length === 0 ? [] : [{ name: `law:${folder}:types-only`, severity: "error", from, to: { path: within(typesToo) } }]),
  ];
});

const library = (name, packages, allowedFolders) => ({
  name: `library:${name}`,
  severity: "error",
  from: { path: OURS, pathNot: [...within(allowedFolders), TESTS, "^(test|bench)/"] },
  to: { path: `node_modules/(${packages})/` },
});

const ROOTS = ["workers", "src/cli", "test", "bench"];

module.exports = {
  forbidden: [
    ...law,
    // A folder that the law does not name would be free of it.
    {
      name: "every-folder-has-its-law",
      severity: "error",
      from: { path: OURS, pathNot: [...within([...Object.keys(LAW), ...ROOTS]), TESTS] },
      to: {},
    },
    {
      name: "roots-are-imported-by-none",
      severity: "error",
      from: { path: OURS, pathNot: [...within(ROOTS), TESTS] },
      to: { path: within(ROOTS) },
    },
    library("kafkajs only behind its adapter", "kafkajs", ["src/adapters", "src/stack"]),
    library("ioredis only behind its adapter", "ioredis", ["src/adapters"]),
    library("the Postgres driver only in the store", "postgres", ["src/store", "src/stack"]),
    library("hono only in the api", "hono|@hono", ["src/api", "workers"]),
    library("workflows reach the SDK's workflow side only", "@temporalio/(client|worker|activity|testing)", [
      "activities",
      "src/adapters",
      "src/starters",
      "workers",
      "src/cli",
    ]),
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    { name: "not-to-test", severity: "error", from: { path: OURS, pathNot: [TESTS, "^(test|bench)/"] }, to: { path: ["^test/", TESTS] } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    parser: "swc",
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
      extensions: [".ts", ".js", ".json"],
    },
  },
};
