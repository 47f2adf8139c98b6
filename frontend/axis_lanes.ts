// How is each lane of the axis drawn?
import { type Line, type Moment, type Point, type RawAxis, type Stretch, notation } from "./axis_data";
import type { Scale } from "./axis_time";
import { Sheet, shape, widthOf } from "./svg";
import { times } from "./words";

export interface Lane { top: number; height: number }
type Words = Record<string, string>;

const DEFAULTS: Record<string, [number, number]> = {
  pulse: [50, 120], pressure: [50, 150], temperature: [36, 39], saturation: [90, 100], respiration: [10, 25],
};
/** The part of the drawing right of the names: lines that come from before the window stop there. */
export const PLOT = "url(#axis-plot)";
const GAP_SHARE = 0.06;
const GAP_SECONDS = 8 * 3600;

function triangle(x: number, y: number, way: "high" | "low"): string {
  return way === "high" ? `M${x - 5} ${y + 4}h10l-5-9z` : `M${x - 5} ${y - 4}h10l-5 9z`;
}

function mark(sheet: Sheet, x: number, y: number, point: Point, small = false): void {
  const kind = `point ${point.severity} ${point.state}`;
  const draw = (name: string, attributes: Record<string, string | number>): void => {
    sheet.add(name, { ...attributes, class: kind });
  };
  const rx = Math.round(x * 10) / 10;
  const ry = Math.round(y * 10) / 10;
  if (point.state === "withdrawn") draw("path", { d: `M${rx - 3} ${ry - 3}l6 6m0-6l-6 6`, stroke: "currentColor" });
  else if (point.severity && point.way) draw("path", { d: triangle(rx, ry, point.way) });
  else if (point.severity) draw("rect", { x: rx - 3.5, y: ry - 3.5, width: 7, height: 7 });
  else if (!small) draw("circle", { cx: rx, cy: ry, r: 3.2 });
  if (point.state === "corrected") sheet.add("circle", { cx: rx, cy: ry, r: 6.5, fill: "none", stroke: "currentColor", class: "corrected" });
}

function path(line: Point[], x: (at: number) => number, y: (value: number) => number, gap: number): string {
  let text = "";
  let before: Point | undefined;
  for (const point of line) {
    if (Number.isNaN(point.number) || point.state === "withdrawn") continue;
    const joined = before !== undefined && point.at - before.at <= gap;
    text += `${joined ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point.number).toFixed(1)}`;
    before = point;
  }
  return text;
}

export function drawStays(sheet: Sheet, lane: Lane, view: Scale, stays: Stretch[], now: number): void {
  for (const stay of stays) {
    const from = Math.max(view.left, view.x(stay.s));
    const to = Math.min(view.x(Math.min(stay.e ?? now, now)), view.right);
    if (to < view.left) continue;
    const kind = stay.k === "stay" && stay.e !== null && stay.e < now - 86_400 && view.to - view.from > 40 * 86_400 ? "past" : stay.k;
    const width = Math.max(2, to - from - 2);
    const link = sheet.link(`/patients/${document.body.dataset.patient}/history/Encounter/${stay.i}`, stay.l);
    link.add("rect", { x: from, y: lane.top + 5, width, height: lane.height - 10, rx: 4, class: `stay ${kind}` });
    fitted(link, from + 4, lane.top + lane.height / 2 + 4, stay.l, width - 2, `stay-text ${kind}`);
  }
}

/** Writes as much of a label as fits, whole words only; nothing when not even the first fits. */
function fitted(sheet: Sheet, x: number, y: number, label: string, room: number, kind: string): void {
  let text = label;
  while (text && widthOf(text) > room) {
    const shorter = text.replace(/\s*[·,]?\s*\S+$/, "");
    if (shorter === text) return;
    text = shorter;
  }
  if (text) sheet.text(x, y, text, kind);
}

const NEWS_STEP = 28;

/** Each slot of the lane shows its highest score; the last slot always shows the latest one. */
export function drawNews(sheet: Sheet, lane: Lane, view: Scale, news: RawAxis["news"]): void {
  const boxes = news.filter((box) => view.x(box[0]) >= view.left).sort((a, b) => b[0] - a[0]);
  const latest = boxes[0];
  if (!latest) return;
  const right = view.x(latest[0]);
  const slots = new Map<number, RawAxis["news"][number]>([[0, latest]]);
  for (const box of boxes.slice(1)) {
    const slot = Math.max(1, Math.floor((right - view.x(box[0])) / NEWS_STEP + 0.5));
    const held = slots.get(slot);
    if (!held || box[1] > held[1]) slots.set(slot, box);
  }
  let free = Infinity;
  for (const [, [at, total, band, complete]] of [...slots].sort((a, b) => a[0] - b[0])) {
    const width = complete ? 24 : 34;
    const x = Math.max(view.left + width / 2, Math.min(view.x(at), free - width / 2));
    if (x + width / 2 > free + 0.5) continue;
    const text = complete ? String(total) : `≥\u202f${total}`;
    const partial = complete ? "" : " partial";
    const box = sheet.add("g", {});
    box.append(
      shape("title", {}, `NEWS2 ${text} · ${times.full.format(at * 1000)}`),
      shape("rect", { x: x - width / 2, y: lane.top + 6, width, height: lane.height - 12, rx: 5, class: `news-box ${band}${partial}` }),
      shape("text", { x, y: lane.top + lane.height / 2 + 4.5, class: `news-text ${band}` }, text),
    );
    free = x - width / 2 - 2;
  }
}

export interface Row { name: string; lines: Line[]; top: number; height: number; y(value: number): number }

export function vitalRow(name: string, lines: Line[], top: number, height: number): Row {
  const values = lines.flatMap((line) => line.points.map((p) => p.number)).filter((v) => !Number.isNaN(v));
  const [low, high] = DEFAULTS[name] ?? [Math.min(...values), Math.max(...values)];
  const least = Math.min(low, ...values);
  const most = Math.max(high, ...values);
  const y = (value: number): number => top + height - 5 - ((value - least) / (most - least || 1)) * (height - 10);
  return { name, lines, top, height, y };
}

export function drawVitals(sheet: Sheet, rows: Row[], view: Scale, words: Words, left: number): void {
  const gap = Math.max(GAP_SECONDS, (view.to - view.from) * GAP_SHARE);
  for (const row of rows) {
    const middle = row.top + row.height / 2 + 4;
    sheet.text(12, middle, words[row.name] ?? row.name, "series-name");
    sheet.text(left - 34, middle, row.lines[0]?.unit ?? "", "uom", "end");
    const values = row.lines.flatMap((line) => line.points.map((p) => p.number)).filter((v) => !Number.isNaN(v));
    const shown = DEFAULTS[row.name] ?? [Math.min(...values), Math.max(...values)];
    const high = Math.max(shown[1], ...values);
    const low = Math.min(shown[0], ...values);
    sheet.text(left - 6, row.top + 9, notation(String(high)), "scale", "end");
    sheet.text(left - 6, row.top + row.height - 2, notation(String(low)), "scale", "end");
    for (const line of row.lines) {
      const charted = line.points.filter((p) => p.state !== "unvalidated");
      const raw = line.points.filter((p) => p.state === "unvalidated");
      sheet.add("path", { d: path(charted, view.x, row.y, gap), class: "curve", "clip-path": PLOT });
      if (raw.length) sheet.add("path", { d: path(raw, view.x, row.y, gap), class: "curve raw", "clip-path": PLOT });
      const dense = line.points.length > 90;
      for (const point of line.points) {
        if (Number.isNaN(point.number) || (dense && point.severity !== "critical")) continue;
        if (view.x(point.at) < view.left) continue;
        mark(sheet, view.x(point.at), row.y(point.number), point, !!dense || !point.severity);
      }
    }
  }
}

export function laboratoryRow(line: Line, top: number, height: number): Row {
  const values = line.points.map((p) => p.number).filter((v) => !Number.isNaN(v));
  const limits = line.points.flatMap((p) => [p.low, p.high]).filter((v): v is number => v !== null);
  const least = Math.min(...values, ...limits);
  const most = Math.max(...values, ...limits);
  const room = height - 22;
  const y = (value: number): number => top + height - 6 - ((value - least) / (most - least || 1)) * room;
  return { name: line.label, lines: [line], top, height, y };
}

export function drawLaboratory(sheet: Sheet, row: Row, view: Scale, left: number, breaks: RawAxis["breaks"]): void {
  const line = row.lines[0];
  if (!line) return;
  const middle = row.top + row.height / 2 + 6;
  const below = left < 130 ? [line.unit, line.method].filter(Boolean).join(" · ") : line.method;
  const lift = below ? 6 : 0;
  const room = left < 130 ? left - 14 : left - 24 - widthOf(line.unit, 10.5);
  fitted(sheet, 12, middle - lift, line.label, room, "series-name");
  if (below) fitted(sheet, 12, middle + 8, below, left - 16, "scale");
  if (left >= 130) sheet.text(left - 8, middle - lift, line.unit, "uom", "end");
  drawBands(sheet, row, line, view);
  sheet.add("path", { d: path(line.points, view.x, row.y, Infinity), class: "curve", "clip-path": PLOT });
  const inside = line.points.filter((p) => !Number.isNaN(p.number) && view.x(p.at) >= view.left - 1);
  for (const point of inside) mark(sheet, view.x(point.at), row.y(point.number), point, inside.length > 60);
  drawLabels(sheet, row, inside, view);
  for (const one of breaks.filter((b) => b.c === line.code)) {
    const first = line.points[0];
    if (!first || Math.abs(first.at - one.t) > 60) continue;
    const x = view.x(one.t) - 9;
    if (x < view.left) continue;
    sheet.add("path", { d: `M${x} ${row.top + 8}v${row.height - 14}m-4 0v-${row.height - 14}`, class: "break" });
    if (x - 8 - widthOf(one.l, 10.5, 400) > view.left) sheet.text(x - 8, row.top + 14, one.l, "break-text", "end");
  }
}

function drawBands(sheet: Sheet, row: Row, line: Line, view: Scale): void {
  line.points.forEach((point, index) => {
    if (point.low === null && point.high === null) return;
    const next = line.points[index + 1];
    const from = index === 0 ? view.left : Math.max(view.left, view.x(point.at));
    const to = next ? view.x(next.at) : view.right;
    if (to <= from) return;
    const top = point.high === null ? row.top + 2 : row.y(point.high);
    const bottom = point.low === null ? row.top + row.height - 4 : row.y(point.low);
    sheet.add("rect", { x: from, y: top, width: to - from + 0.5, height: Math.max(2, bottom - top), class: "band" });
  });
}

function drawLabels(sheet: Sheet, row: Row, points: Point[], view: Scale): void {
  const taken: [number, number][] = [];
  const weight = (p: Point): number => (p.severity === "critical" ? 3 : 0) + (p === points.at(-1) ? 2.5 : 0) + (p.severity ? 1 : 0);
  for (const point of [...points].sort((a, b) => weight(b) - weight(a))) {
    const text = notation(point.text);
    const half = widthOf(text, 11.5, 700) / 2 + 4;
    const x = Math.min(Math.max(view.x(point.at), view.left + half), view.right - half);
    if (taken.some(([from, to]) => x - half < to && x + half > from)) continue;
    taken.push([x - half, x + half]);
    const withdrawn = point.state === "withdrawn" ? " old" : "";
    sheet.text(x, row.y(point.number) - 8, text, `point-text ${point.severity}${withdrawn}`, "middle");
  }
}

export function drawImaging(sheet: Sheet, lane: Lane, view: Scale, studies: Moment[], words: Words): void {
  const side = Math.min(52, lane.height - 26);
  let free = -Infinity;
  let hidden = 0;
  for (const study of [...studies].reverse().sort((a, b) => a.t - b.t)) {
    const label = study.l || study.d || "";
    const sub = `${study.d ?? ""} ${study.n ?? ""}`.trim();
    const width = Math.max(side * 1.15, Math.min(150, widthOf(`${label} ${sub}`, 11.5)));
    const x = Math.min(view.x(study.t), view.right - side * 1.15);
    if (x < free || x < view.left) {
      hidden += 1;
      continue;
    }
    const link = sheet.link(`/imaging/studies/${study.i}`, `${label} ${sub}`);
    link.add("rect", { x, y: lane.top + 6, width: side * 1.15, height: side, rx: 5, class: "thumb" });
    link.text(x + side * 0.575, lane.top + 6 + side / 2 + 4, study.d ?? "", "uom", "middle");
    const picture = link.add("image", { href: `/imaging/studies/${study.i}/thumbnail`, x, y: lane.top + 6, width: side * 1.15, height: side, preserveAspectRatio: "xMidYMid slice" });
    picture.addEventListener("error", () => picture.remove()); // the modality stays readable beneath
    const late = x + widthOf(label, 11.5, 450) > view.right;
    if (!late || x + side * 1.15 - widthOf(label, 11.5, 450) > free) fitted(link, late ? x + side * 1.15 : x, lane.top + side + 19, label, 150, `act-text${late ? " late" : ""}`);
    free = x + width + 10;
  }
  if (hidden) sheet.text(view.left + 4, lane.top + lane.height - 4, `+ ${hidden} ${words["more"]}`, "more");
}

interface Placed { item: Stretch; row: number; from: number; to: number }

/** Treatments on as few rows as they need, those in force first. */
export function packDrugs(drugs: Stretch[], view: Scale, now: number): Placed[] {
  const ends: number[] = [];
  const rank: Record<string, number> = { active: 0, suspended: 1, draft: 2, stopped: 3, past: 4 };
  const ordered = [...drugs].sort((a, b) => (rank[a.k] ?? 5) - (rank[b.k] ?? 5) || a.s - b.s);
  return ordered.map((item) => {
    const from = Math.max(view.left, view.x(item.s));
    const to = Math.min(view.right, Math.max(from + 6, view.x(Math.min(item.e ?? now, now))));
    const reach = Math.max(to, from + widthOf(item.l) + 16);
    let row = ends.findIndex((end) => end < from);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = reach + 4;
    return { item, row, from, to };
  });
}

export function drawDrugs(sheet: Sheet, lane: Lane, view: Scale, placed: Placed[], now: number, words: Words): void {
  const most = Math.max(1, Math.floor((lane.height - 6) / 17));
  const rows = Math.max(1, Math.min(most, 1 + Math.max(0, ...placed.map((p) => p.row))));
  const height = Math.min(26, (lane.height - 6) / rows);
  let hidden = 0;
  for (const { item, row, from, to } of placed) {
    if (row >= most) {
      hidden += 1;
      continue;
    }
    const y = lane.top + 4 + row * height;
    const link = sheet.link(`/patients/${document.body.dataset.patient}/summary`, `${item.l} (${words[`drug.${item.k}`] ?? item.k})`);
    link.add("rect", { x: from, y, width: Math.max(4, to - from), height: height - 4, rx: 4, class: `drug ${item.k}` });
    if (item.e !== null && item.e > now && view.x(item.e) > view.x(now) + 3) {
      const end = Math.min(view.right, view.x(item.e));
      link.add("rect", { x: view.x(now) + 1, y, width: end - view.x(now) - 1, height: height - 4, rx: 4, class: "drug draft" });
    }
    fitted(link, from + 7, y + (height - 4) / 2 + 4, item.l, view.right - from - 10, `drug-text ${item.k}`);
  }
  if (hidden) sheet.text(12, lane.top + lane.height - 6, `+ ${hidden} ${words["more"]}`, "more");
}

export function drawActs(sheet: Sheet, lane: Lane, view: Scale, acts: Moment[]): void {
  const rows = Math.max(1, Math.floor(lane.height / 17));
  const free: number[] = Array.from({ length: rows }, () => -Infinity);
  for (const act of [...acts].sort((a, b) => a.t - b.t)) {
    const x = view.x(act.t) + 4;
    if (x < view.left) continue;
    const full = 14 + Math.min(190, widthOf(act.l, 11.5, 450));
    const fits = free.findIndex((end) => end <= x - 4);
    const late = x + full > view.right;
    const blocked = fits < 0 || (late && (free[fits] ?? 0) > x - full);
    const y = lane.top + (lane.height / rows) * (Math.max(0, fits) + 0.5);
    const link = sheet.link(actHref(act), act.l);
    if (blocked) {
      // No room for its words: a small mark on the edge of the lane, its name on hover and focus.
      link.add("circle", { cx: x, cy: lane.top + lane.height - 3, r: 3, class: `act ${act.k}` });
      continue;
    }
    link.add("circle", { cx: x, cy: y, r: 4, class: `act ${act.k}` });
    fitted(link, late ? x - 8 : x + 8, y + 4, act.l, 190, `act-text${late ? " late" : ""}`);
    free[fits] = late ? x + 10 : x + full + 6;
  }
}

function actHref(act: Moment): string {
  const base = `/patients/${document.body.dataset.patient}`;
  if (act.y === "DocumentReference") return `${base}/documents/${act.i}`;
  if (act.y === "DiagnosticReport") return `${base}/results/${act.i}`;
  return `${base}/history/${act.y}/${act.i}`;
}
