// What does the time axis receive, and how is it unpacked?
import { language } from "./words";

export interface RawLine {
  t: number[];
  v: string[];
  s: string;
  w: string;
  x: string;
  r: [string | null, string | null][];
  ri?: number[];
  o?: Record<string, string>;
}

export interface RawAxis {
  now: number;
  window: { name: string; from: number; to: number };
  stays: Stretch[];
  news: [number, number, string, number][];
  vitals: (RawLine & { p: string; u: string })[];
  labs: (RawLine & { c: string; l: string; u: string; m: string })[];
  breaks: { c: string; t: number; l: string }[];
  imaging: Moment[];
  drugs: Stretch[];
  acts: Moment[];
  partial: boolean;
}

export interface Stretch { s: number; e: number | null; l: string; k: string; i: string }
export interface Moment { t: number; l: string; k: string; i: string; y: string; d?: string; n?: number }

export interface Point {
  at: number;
  text: string;
  number: number;
  severity: "" | "out" | "critical";
  way: "" | "high" | "low";
  state: "" | "unvalidated" | "corrected" | "withdrawn";
  former: string;
  low: number | null;
  high: number | null;
}

export interface Line { key: string; code: string; label: string; unit: string; method: string; points: Point[] }

const SEVERITIES = ["", "out", "critical"] as const;
const WAYS = ["", "high", "low"] as const;
const STATES = ["", "unvalidated", "corrected", "withdrawn"] as const;

function points(raw: RawLine): Point[] {
  let at = 0;
  return raw.t.map((step, index) => {
    at += step;
    const text = raw.v[index] ?? "";
    const range = raw.r[raw.ri?.[index] ?? 0] ?? [null, null];
    return {
      at,
      text,
      number: Number.parseFloat(text.replace(/^[<>≤≥=]+/, "")),
      severity: SEVERITIES[Number(raw.s[index])] ?? "",
      way: WAYS[Number(raw.w[index])] ?? "",
      state: STATES[Number(raw.x[index])] ?? "",
      former: raw.o?.[String(index)] ?? "",
      low: range[0] === null ? null : Number(range[0]),
      high: range[1] === null ? null : Number(range[1]),
    };
  });
}

export function vitalLines(raw: RawAxis): Line[] {
  return raw.vitals.map((one) => ({ key: `${one.p}|${one.u}`, code: one.p, label: one.p, unit: one.u, method: "", points: points(one) }));
}

export function laboratoryLines(raw: RawAxis): Line[] {
  return raw.labs.map((one) => ({ key: `${one.c}|${one.u}|${one.m}`, code: one.c, label: one.l, unit: one.u, method: one.m, points: points(one) }));
}

/** The number as the sender wrote it, in the reader's notation: 72.50 is 72,50. */
export function notation(text: string): string {
  const match = /^([<>≤≥]?=?)([-−]?)(\d{1,15})(?:\.(\d+))?$/.exec(text);
  if (!match) return text;
  const [, comparator = "", sign = "", whole = "", decimals] = match;
  const french = language !== "en";
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, french ? "\u202f" : ",");
  const said = !decimals ? grouped : `${grouped}${french ? "," : "."}${shortened(decimals)}`;
  return `${comparator ? `${comparator}\u202f` : ""}${sign ? "\u2212" : ""}${said}`;
}

/** More than four decimals: the rest is an ellipsis, never a rounding. */
function shortened(decimals: string): string {
  if (decimals.length <= 4) return decimals;
  const zeros = decimals.length - decimals.replace(/^0+/, "").length;
  const kept = decimals.slice(0, zeros + 2);
  return /[1-9]/.test(decimals.slice(kept.length)) ? `${kept}…` : kept;
}

/** The last point at or before a moment. */
export function lastBefore(line: Line, at: number): Point | undefined {
  let found: Point | undefined;
  for (const point of line.points) {
    if (point.at > at) break;
    if (point.state !== "withdrawn") found = point;
  }
  return found;
}
