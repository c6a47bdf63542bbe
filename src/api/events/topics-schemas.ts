import { createRoute, z } from "@hono/zod-openapi";
import { keptText, timeSchema, wholeNumber } from "../http/common-schemas.ts";

const idText = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9._-]*$/, "must be an id as Kafka's own tools show it");
const MAX_NUMBER = 1_000_000;

const incarnationSchema = z
  .object({
    topic: z.string().openapi({ example: "purchases" }),
    clusterId: z.string(),
    topicId: z.string().openapi({ description: "As `kafka-topics.sh --describe` shows it; empty for brokers before 2.8." }),
    number: z.number().int().openapi({ description: "1 is the first that was read under the name, and what earlier releases read." }),
    calledInPlaces: z.string().openapi({ description: "What it is called where a place in it is named.", example: "purchases~2" }),
    recordedAt: timeSchema,
    firstReadAt: timeSchema
      .optional()
      .openapi({ description: "When its first message was taken; absent before. The number is final from then on." }),
  })
  .openapi("TopicIncarnation");

export const listTopicsRoute = createRoute({
  method: "get",
  path: "/api/v1/topics",
  operationId: "listTopics",
  tags: ["events"],
  summary: "The topics that were read or declared, by name",
  description: "A topic that was deleted and made again stands here once more, and so does that of another cluster.",
  responses: {
    200: {
      description: "All of them.",
      content: { "application/json": { schema: z.object({ topics: z.array(incarnationSchema) }).openapi("TopicIncarnationList") } },
    },
  },
});

export const declareTopicRoute = createRoute({
  method: "post",
  path: "/api/v1/topics/{topic}/incarnations",
  operationId: "declareTopic",
  tags: ["events"],
  summary: "Say of a topic whether it holds the messages of an earlier one of its name",
  description:
    "Before its first message is taken. With `sameAs` a message at a partition and offset is that of the topic with this number at the same partition and offset: say so only of a copy " +
    "that keeps the offsets. Without it the topic holds other messages, which is also what Saldo takes it for when nobody says anything.",
  request: {
    params: z.object({ topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, "must be the name of a topic") }),
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              clusterId: idText,
              topicId: idText,
              sameAs: wholeNumber(1, MAX_NUMBER).optional(),
              reason: keptText(500).min(1, "must not be empty").openapi({ description: "Why, in words. It is kept for ever." }),
            })
            .openapi("TopicDeclaration"),
        },
      },
    },
  },
  responses: {
    201: {
      description: "What it is from here on.",
      content: {
        "application/json": {
          schema: z.object({ topic: z.string(), number: z.number().int(), calledInPlaces: z.string() }).openapi("DeclaredTopic"),
        },
      },
    },
  },
});
