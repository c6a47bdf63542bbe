import type { Api } from "../../src/api/api-env.ts";
import type { Access } from "../../src/api/http/access.ts";
import { accessTable, type AccessRow } from "../../src/api/http/declared-access.ts";
import { ROLES } from "../../src/contract/identity.ts";

const INTRO = `# Who may do what

Made by \`npm run docs\` from the routes themselves; a test calls every line as nobody, as another user and with the wrong role.

- **public**: no token is needed.
- **user**: with a token of role \`user\`, one's own data only. What belongs to somebody else answers 404, as if it were not there.
- **service**: a backend that moves money for all users. **admin**: everything.
- **scope of a key**: what an API key, or a token that was got with one, needs besides its role \`service\`; where none stands, keys are refused.
`;

/** \`docs/access.md\`, made of the routes of an app. */
export function accessPage(api: Api): string {
  const columns = ["public", ...ROLES, "scope of a key"];
  const rows = accessTable(api).map((row) => {
    const { method, path, access } = row;
    const cells = [...["public", ...ROLES].map((column) => (allows(access, column) ? "yes" : "")), scopeOf(row)];
    return `| ${method} | \`${path}\` | ${cells.join(" | ")} |`;
  });
  const head = `| Method | Path | ${columns.join(" | ")} |\n| --- | --- | ${columns.map(() => "---").join(" | ")} |`;
  return `${INTRO}\n${head}\n${rows.join("\n")}\n`;
}

function allows(access: Access, column: string): boolean {
  if (access === "public") return true;
  return column !== "public" && (access as readonly string[]).includes(column);
}

function scopeOf({ access, scope }: AccessRow): string {
  if (access === "public") return "";
  return scope === undefined || !access.includes("service") ? "" : scope === "any" ? "any" : `\`${scope}\``;
}
