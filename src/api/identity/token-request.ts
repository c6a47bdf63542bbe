import { MIMEType } from "node:util";

/** An error of RFC 6749, section 5.2. The description has none of the request's text in it. */
export interface TokenRefusal {
  readonly error: "invalid_request" | "invalid_client" | "invalid_scope" | "unsupported_grant_type";
  readonly description: string;
}

/** What a client asks for. Whether it is one is not known yet. */
export interface TokenRequest {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
}

const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/** Reads a request of the client credentials grant: the form, and the client from HTTP Basic or from the form, never from both. */
export function readTokenRequest(request: {
  readonly contentType: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}): TokenRequest | TokenRefusal {
  if (!isForm(request.contentType)) return invalidRequest("the body must be application/x-www-form-urlencoded");
  const form = new URLSearchParams(request.body);
  // RFC 6749, section 3.2: a parameter stands once, and one without a value counts as left out.
  if (new Set(form.keys()).size !== [...form.keys()].length) return invalidRequest("a parameter stands twice");
  const valueOf = (name: string) => form.get(name) || undefined;
  const grantType = valueOf("grant_type");
  if (grantType === undefined) return invalidRequest("grant_type is missing");
  if (grantType !== "client_credentials") return { error: "unsupported_grant_type", description: "grant_type must be client_credentials" };
  const inForm = { clientId: valueOf("client_id"), clientSecret: valueOf("client_secret") };
  const scope = valueOf("scope");
  if (request.authorization === undefined) {
    const { clientId, clientSecret } = inForm;
    if (clientId === undefined || clientSecret === undefined)
      return { error: "invalid_client", description: "the client's id and secret are missing" };
    return { clientId, clientSecret, scope };
  }
  const client = readBasic(request.authorization);
  if (client === undefined) return { error: "invalid_client", description: "the Authorization header is not HTTP Basic" };
  // Some clients repeat their id in the form, which says nothing else.
  if (inForm.clientSecret !== undefined || (inForm.clientId ?? client.clientId) !== client.clientId)
    return invalidRequest("the client shows itself in two ways");
  return { ...client, scope };
}

function isForm(contentType: string | undefined): boolean {
  try {
    return new MIMEType(contentType ?? "").essence === "application/x-www-form-urlencoded";
  } catch {
    return false;
  }
}

// Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
function readBasic(authorization: string): Pick<TokenRequest, "clientId" | "clientSecret"> | undefined {
  const encoded = BASIC.exec(authorization)?.[1];
  const [, id, secret] = encoded === undefined ? [] : (/^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("latin1")) ?? []);
  if (id === undefined || secret === undefined) return undefined;
  const decoded = (text: string) => new URLSearchParams(`x=${text.replaceAll("&", "%26")}`).get("x") ?? "";
  return { clientId: decoded(id), clientSecret: decoded(secret) };
}

function invalidRequest(description: string): TokenRefusal {
  return { error: "invalid_request", description };
}
