// What was true at this moment in every lane? Each value says its own time.
import { type Line, type Point, type RawAxis, lastBefore, notation } from "./axis_data";
import { beside } from "./axis_time";

type Words = Record<string, string>;

function element(name: string, kind: string, text = ""): HTMLElement {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text) made.textContent = text;
  return made;
}

function said(point: Point, unit: string, way = true): HTMLElement {
  const value = element("span", `value ${point.severity} ${point.state === "withdrawn" ? "cancelled" : point.state}`.trim());
  if (point.former) {
    value.append(element("s", "", notation(point.former)), " ");
  }
  value.append(notation(point.text));
  if (unit) value.append(element("span", "uom", `\u202f${unit}`));
  if (way && point.way) value.append("\u202f", element("span", "way", point.way === "high" ? "▲" : "▼"));
  else if (way && point.severity) value.append("\u202f", element("span", "way", "●"));
  return value;
}

function pair(name: string, time: string, value: Node): HTMLElement {
  const row = element("div", "");
  const label = element("span", "", name);
  if (time) label.append(" ", element("small", "", time));
  row.append(label, value);
  return row;
}

function pressure(vitals: Line[], at: number, words: Words): HTMLElement | null {
  const high = vitals.find((line) => line.code === "systolic");
  const low = vitals.find((line) => line.code === "diastolic");
  const top = high && lastBefore(high, at);
  if (!high || !top) return null;
  const bottom = low && lastBefore(low, at);
  const value = said(top, "", false);
  value.classList.add("nowrap");
  const rest = bottom && Math.abs(bottom.at - top.at) < 600 ? `/${notation(bottom.text)}` : "";
  const whole = element("span", "value");
  whole.append(value, rest, element("span", "uom", `\u202f${high.unit}`));
  if (top.way) whole.append("\u202f", element("span", `value ${top.severity}`, top.way === "high" ? "▲" : "▼"));
  return pair(words["pressure"] ?? "PA", beside(top.at, at), whole);
}

export function readMoment(raw: RawAxis, vitals: Line[], labs: Line[], at: number, words: Words): HTMLElement[] {
  const rows: HTMLElement[] = [];
  const place = raw.stays.filter((s) => s.s <= at && (s.e ?? Infinity) > at).at(-1);
  if (place) rows.push(pair(words["place"] ?? "", "", element("span", "strong", place.l)));
  const news = raw.news.filter((n) => n[0] <= at).sort((a, b) => a[0] - b[0]).at(-1);
  if (news) {
    const badge = element("span", `news ${news[2]}${news[3] ? "" : " partial"}`, news[3] ? String(news[1]) : `≥\u202f${news[1]}`);
    rows.push(pair("NEWS2", beside(news[0], at), badge));
  }
  for (const name of ["temperature", "pulse", "pressure", "saturation", "oxygen", "respiration", "consciousness"]) {
    if (name === "pressure") {
      const row = pressure(vitals, at, words);
      if (row) rows.push(row);
      continue;
    }
    for (const line of vitals.filter((one) => one.code === name)) {
      const point = lastBefore(line, at);
      if (point) rows.push(pair(words[name] ?? name, beside(point.at, at), said(point, line.unit)));
    }
  }
  const newest = new Map<string, number>();
  for (const line of labs) {
    const point = lastBefore(line, at);
    if (point) newest.set(line.code, Math.max(newest.get(line.code) ?? 0, point.at));
  }
  for (const line of labs) {
    const point = lastBefore(line, at);
    if (point && newest.get(line.code) === point.at) rows.push(pair(line.label, beside(point.at, at), said(point, line.unit)));
  }
  const drugs = raw.drugs.filter((d) => d.s <= at && (d.e ?? Infinity) > at && d.k !== "draft");
  if (drugs.length) {
    const list = element("span", "strong");
    drugs.slice(0, 8).forEach((drug, index) => {
      if (index) list.append(document.createElement("br"));
      list.append(drug.l);
    });
    if (drugs.length > 8) list.append(document.createElement("br"), `+ ${drugs.length - 8} ${words["more"] ?? ""}`);
    rows.push(pair(words["ongoing"] ?? "", "", list));
  }
  const near = (raw.window.to - raw.window.from) * 0.012;
  for (const one of [...raw.imaging, ...raw.acts].filter((m) => Math.abs(m.t - at) <= near).slice(0, 6)) {
    rows.push(pair(one.l, beside(one.t, at + near), element("span", "muted", one.d ?? "")));
  }
  return rows.length ? rows : [element("p", "muted", words["none"] ?? "")];
}

/** Every moment at which something happened, for the arrow keys. */
export function moments(raw: RawAxis, vitals: Line[], labs: Line[]): number[] {
  const all = [
    ...raw.stays.flatMap((s) => [s.s, s.e]),
    ...raw.news.map((n) => n[0]),
    ...vitals.flatMap((line) => line.points.map((p) => p.at)),
    ...labs.flatMap((line) => line.points.map((p) => p.at)),
    ...raw.drugs.flatMap((d) => [d.s, d.e]),
    ...raw.imaging.map((m) => m.t),
    ...raw.acts.map((m) => m.t),
    raw.now,
  ].filter((at): at is number => at !== null && at >= raw.window.from && at <= raw.window.to);
  return [...new Set(all)].sort((a, b) => a - b);
}
