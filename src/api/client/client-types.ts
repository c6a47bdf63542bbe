import type { RouteConfig } from "@hono/zod-openapi";
import type { z } from "zod";
import type { RawNumber } from "../../base/raw-json.ts";

/** A schema's input as a caller writes it: where the API reads a number's own digits, a caller has a plain number. */
export type Written<Value> = Value extends RawNumber
  ? number
  : Value extends readonly (infer Item)[]
    ? readonly Written<Item>[]
    : Value extends object
      ? { readonly [Name in keyof Value]: Written<Value[Name]> }
      : Value;

type InputOf<Schema> = Schema extends z.ZodType ? Written<z.input<Schema>> : never;

type BodyOf<Request> = Request extends { body: { content: { "application/json": { schema: infer Schema } } } } ? InputOf<Schema> : never;

type Part<Name extends string, Value> = [Value] extends [never]
  ? unknown
  : object extends Value
    ? { readonly [Key in Name]?: Value }
    : { readonly [Key in Name]: Value };

type RequestOf<Route extends RouteConfig> = Route extends { request: infer Request } ? Request : never;
type SchemaAt<Request, Name extends string> = Request extends Record<Name, infer Schema> ? InputOf<Schema> : never;
type NeedsKey<Request> = Request extends { headers: z.ZodObject<infer Shape> }
  ? "Idempotency-Key" extends keyof Shape
    ? string
    : never
  : never;

/** What a call of a route takes: `params`, `query`, `body`, where the route has one its Idempotency-Key, and further headers such as Prefer. */
export type CallOf<Route extends RouteConfig> = Part<"params", SchemaAt<RequestOf<Route>, "params">> &
  Part<"query", SchemaAt<RequestOf<Route>, "query">> &
  Part<"body", BodyOf<RequestOf<Route>>> &
  Part<"idempotencyKey", NeedsKey<RequestOf<Route>>> & { readonly headers?: Readonly<Record<string, string>> };

type JsonOf<Response> = Response extends { content: { "application/json": { schema: infer Schema } } }
  ? Schema extends z.ZodType
    ? z.output<Schema>
    : undefined
  : undefined;

/** A route's answers of success, by status. */
export type AnswerOf<Route extends RouteConfig> = {
  [Status in keyof Route["responses"] & number]: `${Status}` extends `2${string}`
    ? { readonly status: Status; readonly body: JsonOf<Route["responses"][Status]>; readonly headers: Headers }
    : never;
}[keyof Route["responses"] & number];
