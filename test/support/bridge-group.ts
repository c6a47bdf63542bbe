import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RoleEvent, SupervisedRole } from "../../src/stack/processes/supervisor.ts";
import { ROLE_GRACE_MS, roleSettings, startTestRole, type RoleServers } from "./test-roles.ts";

export interface BridgeGroupInput {
  readonly servers: RoleServers;
  /** The folder of the bridges' logs and pids. */
  readonly dataDir: string;
  readonly topic: string;
  /** The name of the group, with which the names of its other topics begin too: on a shared broker they belong to this test only. */
  readonly group: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  /** The folder of another release: every second bridge is run of it. */
  readonly otherDir?: string | undefined;
}

/** Bridges of one group, run as by `npm start`: each is a process that is started again when it dies. */
export interface BridgeGroup {
  add(): SupervisedRole;
  /** Kills a bridge (SIGKILL). */
  killOne(random: () => number): void;
  /** Orders a bridge to stop (SIGTERM) and settles when it has ended. */
  leave(bridge: SupervisedRole): Promise<void>;
  counts(): BridgeCounts;
  /** Orders all bridges to stop. Safe to retry. */
  stop(): Promise<void>;
}

export interface BridgeCounts {
  readonly kills: number;
  /** Bridges that ended by themselves, each with the error in its log. */
  readonly deaths: readonly string[];
  /** How long the slowest bridge took to end after an order to stop. */
  readonly slowestLeaveMs: number;
  /** How often a bridge was given partitions of the topic. */
  readonly assignments: number;
}

interface Member {
  readonly bridge: SupervisedRole;
  runs: boolean;
  wasKilled: boolean;
}

/** An empty group. */
export function createBridgeGroup(input: BridgeGroupInput): BridgeGroup {
  const members = new Set<Member>();
  const deaths: string[] = [];
  let kills = 0;
  let born = 0;
  let slowestLeaveMs = 0;
  const environment = roleSettings(input.servers, { dataDir: input.dataDir, settings: { ...topicSettings(input), ...input.settings } });

  const noteEvent = (member: Member, { state, detail }: RoleEvent) => {
    if (state === "starting" || state === "restarting") member.runs = true;
    if (state !== "backing-off" && state !== "stopped") return;
    member.runs = false;
    if (!member.wasKilled && detail !== "") {
      deaths.push(detail);
      input.log(detail);
    }
    member.wasKilled = false;
  };
  const add = () => {
    const name = `bridge-${(born += 1)}`;
    const early: RoleEvent[] = [];
    let member: Member | undefined;
    const onEvent = (event: RoleEvent) => void (member === undefined ? early.push(event) : noteEvent(member, event));
    const other = input.otherDir === undefined || born % 2 === 1 ? {} : { projectDir: input.otherDir };
    const bridge = startTestRole({ role: "bridge", name, environment, dataDir: input.dataDir, onEvent, ...other });
    member = { bridge, runs: false, wasKilled: false };
    for (const event of early) noteEvent(member, event);
    members.add(member);
    return bridge;
  };
  const leave = async (bridge: SupervisedRole) => {
    const member = [...members].find((each) => each.bridge === bridge);
    if (member === undefined) return;
    members.delete(member);
    const orderedAtMs = performance.now();
    await bridge.stop();
    slowestLeaveMs = Math.max(slowestLeaveMs, Math.round(performance.now() - orderedAtMs));
  };

  return {
    add,
    killOne(random) {
      const alive = [...members].filter(({ runs, wasKilled }) => runs && !wasKilled);
      const victim = alive[Math.floor(random() * alive.length)];
      const pid = victim?.bridge.pid();
      if (victim === undefined || pid === undefined) return;
      victim.wasKilled = true;
      process.kill(pid, "SIGKILL");
      kills += 1;
    },
    leave,
    counts: () => ({ kills, deaths, slowestLeaveMs, assignments: countAssignments(input) }),
    async stop() {
      await Promise.all([...members].map(({ bridge }) => leave(bridge)));
    },
  };
}

/** True when a bridge had to be killed after an order to stop. */
export function leftInTime({ slowestLeaveMs }: BridgeCounts): boolean {
  return slowestLeaveMs < ROLE_GRACE_MS;
}

function topicSettings({ topic, group }: BridgeGroupInput): Record<string, string> {
  return {
    KAFKA_TOPIC: topic,
    KAFKA_GROUP: group,
    LOYALTY_TOPIC: `${group}.loyalty`,
    LOYALTY_GROUP: `${group}.loyalty`,
    ORDERS_TOPIC: `${group}.orders`,
    ORDERS_GROUP: `${group}.orders`,
    SAGA_COMMANDS: "ignore",
  };
}

function countAssignments({ dataDir, group }: BridgeGroupInput): number {
  const folder = join(dataDir, "logs");
  const wanted = ["joined the consumer group", `"group":"${group}"`];
  return readdirSync(folder)
    .filter((name) => name.startsWith("bridge-"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .filter((line) => wanted.every((part) => line.includes(part))).length;
}
