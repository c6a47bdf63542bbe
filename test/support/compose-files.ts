import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { parse } from "yaml";

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string | number>;
  ports?: string[];
  volumes?: string[];
  restart?: string;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const textOf = (name: string) => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), "utf8");

/** The developer's compose. */
export const compose = parse(textOf("docker-compose.yml"), { merge: true }) as ComposeFile;
/** What a production lays over it. */
export const production = parse(textOf("docker-compose.production.yml"), { merge: true }) as ComposeFile;
/** The variables that .env.example sets. */
export const EXAMPLE = parseEnv(textOf(".env.example")) as Readonly<Record<string, string>>;

/** The environment that compose gives a role by this `.env`. */
export function environmentBy(dotEnv: Readonly<Record<string, string>>, role: string, withProduction: boolean): Record<string, string> {
  const filled = (text: string | number) =>
    String(text)
      .replace(/\$\{(\w+):\?[^}]*\}/, (_all, name: string) => dotEnv[name] ?? "")
      .replace(/\$\{(\w+):-([^}]*)\}/, (_all, name: string, other: string) => dotEnv[name] ?? other);
  return Object.fromEntries(
    Object.entries({
      ...compose.services[role]?.environment,
      ...(withProduction ? production.services[role]?.environment : {}),
    }).map(([name, value]) => [name, filled(value)]),
  );
}
