import { createRequire } from "node:module";

interface ProtoJson {
  readonly fromJson: (type: unknown, json: unknown, options: { ignoreUnknownFields: boolean }) => unknown;
}
interface PatchedRoot {
  readonly patchProtobufRoot: (root: unknown) => { lookupType(name: string): unknown };
}

/**
 * Reads a history's JSON into the messages that a worker replays; fields of newer servers are ignored.
 * Throws: Error in words when a field has a value its type cannot hold.
 *
 * The SDK's own reader takes protobufjs from @temporalio/common and its types from @temporalio/proto. When npm installed a copy for each,
 * that reader refuses every history with "type must be a Type"; here both come from @temporalio/proto.
 */
export function readHistoryJson(json: { readonly events: readonly unknown[] }): unknown {
  const ownRequire = createRequire(import.meta.url);
  const protoRequire = createRequire(ownRequire.resolve("@temporalio/proto"));
  const { fromJson } = protoRequire("protobufjs/ext/protojson") as ProtoJson;
  const { patchProtobufRoot } = ownRequire("@temporalio/proto/lib/patch-protobuf-root") as PatchedRoot;
  const historyType = patchProtobufRoot(ownRequire("@temporalio/proto")).lookupType("temporal.api.history.v1.History");
  return fromJson(historyType, json, { ignoreUnknownFields: true });
}
