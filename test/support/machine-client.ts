import { expect } from "vitest";
import type { TestAnswer, TestApi } from "./http-api.ts";

/** A key as it was shown once. */
export interface ShownKey {
  readonly keyId: string;
  readonly clientSecret: string;
  /** The whole key as a header. */
  readonly bearer: { readonly authorization: string };
}

/** What an operator and a service do with keys. `admin` gives the headers of an admin. */
export function createMachineClient(admin: () => Promise<{ authorization: string }>) {
  const asAdmin = async (api: TestApi, method: string, path: string, body?: unknown) =>
    api.call(method, `/api/v1/api-keys${path}`, { headers: await admin(), key: null, ...(body === undefined ? {} : { body }) });
  const shown = ({ body }: TestAnswer): ShownKey => ({
    keyId: String(body["keyId"]),
    clientSecret: String(body["clientSecret"]),
    bearer: { authorization: `Bearer ${String(body["key"])}` },
  });

  async function makeKey(api: TestApi, body: object = {}): Promise<ShownKey> {
    const answer = await asAdmin(api, "POST", "", { name: "test", subject: "shop", scopes: ["ledger:*", "orders:read"], ...body });
    expect(answer.status).toBe(201);
    return shown(answer);
  }

  /** Sends a form as OAuth2 clients do. */
  const askToken = (api: TestApi, form: Record<string, string> | string, headers: Record<string, string> = {}) =>
    api.call("POST", "/api/v1/auth/token", {
      rawBody: new URLSearchParams(form).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      key: null,
    });

  async function tokenOf(api: TestApi, { keyId, clientSecret }: ShownKey): Promise<{ authorization: string }> {
    const { status, body } = await askToken(api, { grant_type: "client_credentials", client_id: keyId, client_secret: clientSecret });
    expect(status).toBe(200);
    return { authorization: `Bearer ${String(body["access_token"])}` };
  }

  return { asAdmin, shown, makeKey, askToken, tokenOf };
}
