import type { LoadLevel } from "../measure/open-loop.ts";
import { linearScale, logScale, type Scale } from "./scale.ts";

/** Latency and fate of what arrives at rising levels of load. */
export interface LoadPlot {
  /** Names the file as well: `orders`, `deposits`, `events`. */
  readonly name: string;
  readonly title: string;
  readonly levels: readonly LoadLevel[];
}

const WIDTH = 720;
const LEFT = 70;
const RIGHT = 700;
const LATENCY = { top: 50, bottom: 290 };
const FATE = { top: 340, bottom: 480 };
const HEIGHT = 540;
const COLORS = { p50: "#1b6ca8", p99: "#c0392b", accepted: "#2e8b57", refused: "#d98200", axis: "#555", grid: "#ddd" };

/** The plot as an SVG picture: above p50 and p99 of what was accepted, on a logarithmic axis, below how much was accepted and refused. */
export function renderLoadPlot({ title, levels }: LoadPlot): string {
  const times = levels.flatMap(({ p50Ms, p99Ms }) => [p50Ms, p99Ms]).filter((ms) => Number.isFinite(ms) && ms > 0);
  const load = linearScale(Math.max(...levels.map(({ offeredPerSecond }) => offeredPerSecond)), LEFT, RIGHT);
  const latency = logScale(Math.min(...times, 1_000), Math.max(...times, 1), LATENCY.bottom, LATENCY.top);
  const rates = levels.flatMap(({ acceptedPerSecond, refusedPerSecond }) => [acceptedPerSecond, refusedPerSecond]);
  const fate = linearScale(Math.max(...rates, 1), FATE.bottom, FATE.top);
  const line = (value: (level: LoadLevel) => number, y: Scale, color: string) => polyline(levels, value, load, y, color);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(WIDTH / 2, 22, title, "middle", 15),
    ...leftAxis(latency, "ms", LATENCY),
    ...leftAxis(fate, "/s", FATE),
    ...bottomAxis(load, LATENCY),
    ...bottomAxis(load, FATE),
    text((LEFT + RIGHT) / 2, FATE.bottom + 36, "arrivals a second (open loop)", "middle"),
    line(({ p50Ms }) => p50Ms, latency, COLORS.p50),
    line(({ p99Ms }) => p99Ms, latency, COLORS.p99),
    line(({ acceptedPerSecond }) => acceptedPerSecond, fate, COLORS.accepted),
    line(({ refusedPerSecond }) => refusedPerSecond, fate, COLORS.refused),
    ...legend(LATENCY.top - 10, [
      ["p50 of what was accepted", COLORS.p50],
      ["p99", COLORS.p99],
    ]),
    ...legend(FATE.top - 12, [
      ["accepted", COLORS.accepted],
      ["refused with 503", COLORS.refused],
    ]),
    "</svg>\n",
  ].join("\n");
}

interface Panel {
  readonly top: number;
  readonly bottom: number;
}

function polyline(levels: readonly LoadLevel[], value: (level: LoadLevel) => number, x: Scale, y: Scale, color: string): string {
  const points = levels
    .filter((level) => Number.isFinite(value(level)))
    .map((level) => [x.at(level.offeredPerSecond).toFixed(1), y.at(value(level)).toFixed(1)] as const);
  const dots = points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${color}"/>`);
  return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points.map((point) => point.join(",")).join(" ")}"/>${dots.join("")}`;
}

function leftAxis(scale: Scale, unit: string, { top, bottom }: Panel): string[] {
  const marks = scale.marks.flatMap((mark) => {
    const y = scale.at(mark).toFixed(1);
    return [
      `<line x1="${LEFT}" y1="${y}" x2="${RIGHT}" y2="${y}" stroke="${COLORS.grid}"/>`,
      text(LEFT - 8, Number(y) + 4, numberText(mark), "end"),
    ];
  });
  return [
    ...marks,
    `<line x1="${LEFT}" y1="${top}" x2="${LEFT}" y2="${bottom}" stroke="${COLORS.axis}"/>`,
    text(LEFT - 8, top - 10, unit, "end"),
  ];
}

function bottomAxis(scale: Scale, { bottom }: Panel): string[] {
  const marks = scale.marks.map((mark) => text(scale.at(mark), bottom + 18, numberText(mark), "middle"));
  return [`<line x1="${LEFT}" y1="${bottom}" x2="${RIGHT}" y2="${bottom}" stroke="${COLORS.axis}"/>`, ...marks];
}

function legend(y: number, entries: readonly (readonly [string, string])[]): string[] {
  return entries.flatMap(([words, color], place) => {
    const x = LEFT + 20 + place * 210;
    return [`<line x1="${x}" y1="${y - 4}" x2="${x + 22}" y2="${y - 4}" stroke="${color}" stroke-width="3"/>`, text(x + 28, y, words)];
  });
}

function text(x: number, y: number, words: string, anchor = "start", size = 12): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="#222">${escaped(words)}</text>`;
}

function numberText(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
