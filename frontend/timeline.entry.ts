// How does a carer move through a patient's time? One cursor, every lane at once.
import { type Line, type RawAxis, laboratoryLines, vitalLines } from "./axis_data";
import { drawActs, drawDrugs, drawImaging, drawLaboratory, drawNews, drawStays, drawVitals, laboratoryRow, type Lane, packDrugs, type Row, vitalRow } from "./axis_lanes";
import { moments, readMoment } from "./axis_moment";
import { flag, type Scale, scale, ticks } from "./axis_time";
import type { Change } from "./channel";
import { Sheet, shape } from "./svg";
import { setCookie } from "./theme";
import { now as presentMilliseconds, times } from "./words";

const HEADER = 24;
const VITALS: [string, string[]][] = [
  ["pulse", ["pulse"]], ["pressure", ["systolic", "diastolic"]], ["temperature", ["temperature"]],
  ["saturation", ["saturation"]], ["respiration", ["respiration"]],
];

class Axis {
  private raw: RawAxis | null = null;
  private vitals: Line[] = [];
  private labs: Line[] = [];
  private view: Scale | null = null;
  private cursor: number | null = null;
  private overlay: Sheet | null = null;
  private readonly words: Record<string, string>;
  private timer = 0;
  private request = 0;

  constructor(private readonly box: HTMLElement) {
    this.words = JSON.parse(box.dataset.words ?? "{}");
    box.hidden = false;
    document.getElementById("axis-table")?.removeAttribute("open");
    this.listen();
    void this.load();
  }

  private get present(): number {
    return Math.max(this.raw?.now ?? 0, presentMilliseconds() / 1000);
  }

  /** Where the cursor rests: the present, or the end of a stay that is over. */
  private get rest(): number {
    return Math.min(this.present, this.raw?.window.to ?? Infinity);
  }

  private async load(): Promise<void> {
    const turn = ++this.request;
    this.box.setAttribute("aria-busy", "true");
    try {
      const address = `${this.box.dataset.src}?window=${this.box.dataset.window}`;
      const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok || turn !== this.request) return;
      this.raw = (await answer.json()) as RawAxis;
      this.vitals = vitalLines(this.raw);
      this.labs = laboratoryLines(this.raw);
      this.draw();
    } finally {
      if (turn === this.request) this.box.removeAttribute("aria-busy");
    }
  }

  private listen(): void {
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.box.addEventListener("pointermove", (event) => this.follow(event));
    this.box.addEventListener("pointerdown", (event) => this.follow(event));
    document.addEventListener("keydown", (event) => this.key(event));
    document.getElementById("cursor-back")?.addEventListener("click", () => this.step(-1));
    document.getElementById("cursor-forward")?.addEventListener("click", () => this.step(1));
    for (const choice of document.querySelectorAll<HTMLAnchorElement>("[data-window]:not(.axis)")) {
      choice.addEventListener("click", (event) => {
        event.preventDefault();
        this.zoom(choice);
      });
    }
    const again = (): void => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.load(), 60);
    };
    document.addEventListener("liane:reset", again);
    document.addEventListener("liane:changes", (event) => {
      const topic = `patient:${this.box.dataset.patient}`;
      if ((event as CustomEvent<Change[]>).detail.some((change) => change.topic === topic)) again();
    });
    window.setInterval(() => this.draw(), 60_000);
    document.fonts?.ready.then(() => this.draw()).catch(() => undefined);
  }

  private zoom(choice: HTMLAnchorElement): void {
    for (const other of document.querySelectorAll("[data-window]:not(.axis)")) other.removeAttribute("aria-current");
    choice.setAttribute("aria-current", "true");
    this.box.dataset.window = choice.dataset.window;
    setCookie("liane_window", choice.dataset.window ?? "stay");
    history.replaceState(null, "", `?window=${choice.dataset.window}`);
    this.cursor = null;
    void this.load();
  }

  private follow(event: PointerEvent): void {
    if (!this.view || (event.pointerType === "mouse" && event.type === "pointerdown" && event.button)) return;
    const x = event.clientX - this.box.getBoundingClientRect().left;
    if (x < this.view.left) return;
    this.move(Math.min(this.view.at(Math.min(x, this.view.right)), this.view.to));
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (target.closest("input, textarea, select, dialog, .sheet") || event.ctrlKey || event.altKey || event.metaKey) return;
    const way = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (way) {
      event.preventDefault();
      if (event.shiftKey) this.jump(way);
      else this.step(way);
    } else if (event.key === "Home" || event.key === "End") {
      if (!this.view || !this.box.contains(target)) return;
      event.preventDefault();
      this.move(event.key === "Home" ? this.view.from : this.present);
    }
  }

  private step(way: number): void {
    if (!this.raw) return;
    const at = this.cursor ?? this.rest;
    const all = moments(this.raw, this.vitals, this.labs);
    const next = way > 0 ? all.find((m) => m > at + 1) : all.findLast((m) => m < at - 1);
    if (next !== undefined) this.move(next);
  }

  private jump(way: number): void {
    if (!this.view) return;
    const span = (this.view.to - this.view.from) * 0.05;
    const at = (this.cursor ?? this.rest) + way * span;
    this.move(Math.min(Math.max(at, this.view.from), this.view.to));
  }

  private move(at: number): void {
    this.cursor = at;
    this.showCursor();
  }

  private draw(): void {
    const raw = this.raw;
    const width = this.box.clientWidth;
    if (!raw || !width) return;
    const left = width < 560 ? 104 : 150;
    const view = (this.view = scale(raw.window.from, raw.window.to, left, width - 14));
    const svg = shape("svg", { "aria-hidden": "false", focusable: "false" });
    const sheet = new Sheet(svg);
    const clip = sheet.add("clipPath", { id: "axis-plot" });
    clip.append(shape("rect", { x: left, y: 0, width: Math.max(0, width - left), height: 4000 }));
    const height = this.lanes(sheet, raw, view, left, width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawTime(sheet, view, height);
    this.overlay = new Sheet(sheet.add("g", { class: "overlay", "pointer-events": "none" }));
    this.box.replaceChildren(svg);
    this.showCursor();
  }

  /** Lay the lanes out, draw them, and give the height they took. */
  private lanes(sheet: Sheet, raw: RawAxis, view: Scale, left: number, width: number): number {
    const present = this.present;
    const groups = VITALS.map(([name, codes]) => ({ name, lines: this.vitals.filter((l) => codes.includes(l.code) && l.points.some((p) => !Number.isNaN(p.number))) })).filter((g) => g.lines.length);
    const drugs = packDrugs(raw.drugs, view, present);
    const drugRows = Math.min(5, 1 + Math.max(0, ...drugs.map((d) => d.row)));
    const fixed: Record<string, number> = {
      stays: 30, news: raw.news.length ? 36 : 26, imaging: raw.imaging.length ? 70 : 28,
      drugs: drugs.length ? 6 + drugRows * 18 : 28, acts: raw.acts.length > 3 ? 40 : 26,
    };
    const flexible = { vitals: groups.length ? 20 + groups.length * 22 : 30, labs: this.labs.length ? 14 + this.labs.length * 34 : 30 };
    const least = HEADER + Object.values(fixed).reduce((a, b) => a + b, 0) + flexible.vitals + flexible.labs;
    const spare = Math.max(0, this.room() - least);
    const vitalShare = groups.length ? spare * (this.labs.length ? 0.42 : 1) : 0;
    const labShare = this.labs.length ? spare - vitalShare : 0;
    const heights: [string, number][] = [
      ["stays", fixed["stays"] ?? 0], ["news", fixed["news"] ?? 0], ["vitals", flexible.vitals + vitalShare],
      ["labs", flexible.labs + labShare], ["imaging", fixed["imaging"] ?? 0], ["drugs", fixed["drugs"] ?? 0], ["acts", fixed["acts"] ?? 0],
    ];
    let top = HEADER;
    for (const [name, height] of heights) {
      sheet.add("line", { x1: 0, x2: width, y1: top, y2: top, class: "rule" });
      sheet.text(12, top + 17, this.words[name] ?? name, "lane-name");
      this.lane(name, sheet, { top, height }, view, { raw, groups, drugs, left, present });
      top += height;
    }
    this.box.style.setProperty("height", "");
    const need = Math.ceil(top);
    if (need > this.room() + 1) this.box.style.setProperty("min-height", `${need}px`);
    return need;
  }

  private room(): number {
    this.box.style.removeProperty("min-height");
    return this.box.clientHeight;
  }

  private lane(
    name: string, sheet: Sheet, lane: Lane, view: Scale,
    given: { raw: RawAxis; groups: { name: string; lines: Line[] }[]; drugs: ReturnType<typeof packDrugs>; left: number; present: number },
  ): void {
    const { raw, groups, drugs, left, present } = given;
    if (name === "stays") drawStays(sheet, lane, view, raw.stays, present);
    else if (name === "news") drawNews(sheet, lane, view, raw.news);
    else if (name === "imaging") drawImaging(sheet, lane, view, raw.imaging, this.words);
    else if (name === "drugs") drawDrugs(sheet, lane, view, drugs, present, this.words);
    else if (name === "acts") drawActs(sheet, lane, view, raw.acts);
    else if (name === "vitals") {
      if (!groups.length) sheet.text(left + 8, lane.top + 19, this.words["empty_vitals"] ?? "", "uom");
      const each = (lane.height - 20) / Math.max(1, groups.length);
      const rows: Row[] = groups.map((g, i) => vitalRow(g.name, g.lines, lane.top + 18 + i * each, each - 2));
      drawVitals(sheet, rows, view, this.words, left);
    } else if (name === "labs") {
      if (!this.labs.length) sheet.text(left + 8, lane.top + 19, this.words["empty_labs"] ?? "", "uom");
      const each = (lane.height - 14) / Math.max(1, this.labs.length);
      this.labs.forEach((line, i) => drawLaboratory(sheet, laboratoryRow(line, lane.top + 13 + i * each, each), view, left, raw.breaks));
    }
  }

  private drawTime(sheet: Sheet, view: Scale, height: number): void {
    const rules: SVGElement[] = [];
    let free = -Infinity;
    for (const tick of ticks(view)) {
      const x = view.x(tick.at);
      if (x < view.left) continue;
      rules.push(shape("line", { x1: x, x2: x, y1: tick.strong ? 4 : HEADER, y2: height, class: tick.strong ? "rule" : "rule fine" }));
      if (tick.label && x + 5 > free && x < view.right - 20) {
        const label = sheet.text(x + 5, 16, tick.label, tick.strong ? "day" : "hour");
        free = x + 5 + tick.label.length * 7 + 6;
        rules.push(label);
      }
    }
    sheet.root.prepend(...rules);
    const x = view.x(this.present);
    if (this.present <= view.to) sheet.add("line", { x1: x, x2: x, y1: HEADER - 2, y2: height, class: "present" });
    sheet.add("line", { x1: view.left, x2: view.left, y1: 0, y2: height, class: "rule" });
  }

  private showCursor(): void {
    const { raw, view, overlay } = this;
    if (!raw || !view || !overlay) return;
    const at = this.cursor ?? this.rest;
    const x = Math.min(view.x(at), view.right);
    const height = this.box.clientHeight;
    overlay.root.replaceChildren();
    overlay.add("line", { x1: x, x2: x, y1: 20, y2: height, class: "cursor" });
    const text = flag(at, view);
    const half = 8 + text.length * 3.6;
    const middle = Math.min(Math.max(x, view.left + half), view.right + 12 - half);
    overlay.add("rect", { x: middle - half, y: 2, width: 2 * half, height: 18, rx: 9, class: "cursor-flag" });
    overlay.text(middle, 15, text, "cursor-text", "middle");
    const said = times.full.format(at * 1000);
    const label = document.getElementById("cursor-at");
    if (label) label.textContent = this.cursor === null && raw.window.to >= this.present ? (this.words["now"] ?? "") : said;
    const title = document.getElementById("moment-at");
    if (title) title.textContent = ` · ${said}`;
    document.getElementById("moment-pairs")?.replaceChildren(...readMoment(raw, this.vitals, this.labs, at, this.words));
  }
}

const box = document.getElementById("axis");
if (box) new Axis(box);
