import { ConfigError } from "../../src/config.ts";

/** The setting, which this role cannot do without. Throws: ConfigError that names it. */
export function required<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new ConfigError([`${name}: is needed by this role; \`npm start\` sets it`]);
  return value;
}
