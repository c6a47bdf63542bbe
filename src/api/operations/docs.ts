import { createReadStream, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { answerProblem } from "../http/error-handler.ts";
import type { Routes } from "../http/routes.ts";

/** The pages' own files. Everything comes from this process, so that they work without a way to the internet. */
const ASSETS: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Saldo API</title>
    <link rel="stylesheet" href="/swagger/swagger-ui.css" />
    <link rel="icon" type="image/png" href="/swagger/favicon-32x32.png" sizes="32x32" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/swagger/swagger-ui-bundle.js"></script>
    <script src="/swagger/start.js"></script>
  </body>
</html>
`;

// `validatorUrl`: by default the page sends the document to a validator on the internet. `persistAuthorization`: a token typed in is
// forgotten when the page is closed.
const START = `window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const ASSET_LIFETIME = "public, max-age=3600";

/** The API's pages, where requests can be read and tried: `/docs`, and `/swagger/index.html`, the address of the earlier service's page. */
export function addDocsRoutes(routes: Routes): void {
  const folder = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

  // A person who opens the bare address in a browser wants to know what this service is.
  routes.addPage("/", (context) => context.redirect("/docs", 302));

  for (const path of ["/docs", "/swagger/index.html"])
    routes.addPage(path, (context) =>
      context.body(PAGE, 200, { "content-type": "text/html; charset=utf-8", "content-security-policy": PAGE_POLICY }),
    );

  routes.addPage("/swagger/{file}", (context) => {
    const file = context.req.param("file") ?? "";
    if (file === "start.js")
      return context.body(START, 200, { "content-type": "text/javascript; charset=utf-8", "cache-control": ASSET_LIFETIME });
    const type = Object.hasOwn(ASSETS, file) ? ASSETS[file] : undefined;
    if (type === undefined) return answerProblem(context, "NOT_FOUND");
    const path = join(folder, file);
    return context.body(Readable.toWeb(createReadStream(path)) as ReadableStream, 200, {
      "content-type": type,
      "content-length": String(statSync(path).size),
      "cache-control": ASSET_LIFETIME,
    });
  });
}
