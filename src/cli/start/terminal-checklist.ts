export type ChecklistState = "waiting" | "working" | "done" | "warning" | "failed";
export type ChecklistLine = { readonly title: string; readonly state: ChecklistState; readonly detail: string; readonly elapsedMs: number };

export type Checklist = {
  /** Adds a line, or replaces the line of the same title. */
  update(line: ChecklistLine): void;
  /** Draws the list for the last time; later output stands below it. */
  finish(): void;
};

export type Terminal = { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined; write(text: string): unknown };

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const REDRAW_MS = 100;
const REPEAT_MS = 10_000;

/**
 * A list of steps with their times: redrawn in place on a terminal, one line per change elsewhere, one JSON object per
 * change with `json`. Colours only on a terminal and when `color` allows.
 */
export function createChecklist(terminal: Terminal, options: { json: boolean; color: boolean }): Checklist {
  if (options.json)
    return { update: (line) => void terminal.write(`${JSON.stringify({ event: "step", ...line })}\n`), finish: () => undefined };
  return terminal.isTTY === true ? redrawnChecklist(terminal, options.color) : plainChecklist(terminal);
}

function plainChecklist(terminal: Terminal): Checklist {
  const shown = new Map<string, { text: string; atMs: number }>();
  return {
    update: (line) => {
      const text = `${WORDS[line.state]} ${line.title}${line.detail === "" ? "" : `: ${line.detail}`}`;
      // A build tells its progress every second; in a log every ten seconds are enough.
      const last = shown.get(line.title);
      if (last !== undefined && withoutFigures(last.text) === withoutFigures(text) && line.elapsedMs - last.atMs < REPEAT_MS) return;
      shown.set(line.title, { text, atMs: line.elapsedMs });
      terminal.write(`${text} (${duration(line.elapsedMs)})\n`);
    },
    finish: () => undefined,
  };
}

function redrawnChecklist(terminal: Terminal, color: boolean): Checklist {
  const lines = new Map<string, ChecklistLine>();
  let drawn = 0;
  let frame = 0;
  const draw = () => {
    frame += 1;
    // A terminal that does not know its width says 0.
    const columns = terminal.columns ?? 0;
    const width = (columns > 40 ? columns : 80) - 1;
    const text = [...lines.values()].map((line) => `${renderLine(line, frame, width, color)}\u001b[K\n`).join("");
    terminal.write(`${drawn > 0 ? `\u001b[${drawn}A` : ""}${text}`);
    drawn = lines.size;
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();
  return {
    update: (line) => {
      lines.set(line.title, line);
      draw();
    },
    finish: () => {
      clearInterval(timer);
      draw();
      drawn = 0;
    },
  };
}

const WORDS: Readonly<Record<ChecklistState, string>> = { waiting: "wait", working: "....", done: "ok  ", warning: "warn", failed: "FAIL" };
const COLORS: Readonly<Record<ChecklistState, number>> = { waiting: 90, working: 36, done: 32, warning: 33, failed: 31 };

function renderLine(line: ChecklistLine, frame: number, width: number, color: boolean): string {
  const mark = { waiting: "·", working: SPINNER[frame % SPINNER.length] ?? "-", done: "✔", warning: "!", failed: "✖" }[line.state];
  const time = line.state === "waiting" ? "" : duration(line.elapsedMs);
  const room = Math.max(10, width - 28 - time.length);
  const detail = line.detail.length > room ? `${line.detail.slice(0, room - 1)}…` : line.detail.padEnd(room);
  const coloured = color ? `\u001b[${COLORS[line.state]}m${mark}\u001b[0m` : mark;
  return `  ${coloured} ${line.title.padEnd(22)} ${detail} ${time}`.trimEnd();
}

function duration(elapsedMs: number): string {
  return elapsedMs < 1_000 ? `${Math.round(elapsedMs)} ms` : `${(elapsedMs / 1_000).toFixed(1)} s`;
}

function withoutFigures(text: string): string {
  return text.replaceAll(/\d+/g, "");
}
