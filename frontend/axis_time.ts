// Where does a moment stand on the axis, and which moments are written above it?
import { times } from "./words";

export interface Scale {
  from: number;
  to: number;
  left: number;
  right: number;
  x(at: number): number;
  at(x: number): number;
}

export interface Tick { at: number; label: string; strong: boolean }

const HOUR = 3600;
const DAY = 86_400;
const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Europe/Paris", hour: "2-digit", day: "numeric", month: "numeric", hourCycle: "h23",
});

export function scale(from: number, to: number, left: number, right: number): Scale {
  const perSecond = (right - left) / Math.max(1, to - from);
  return {
    from, to, left, right,
    x: (at) => left + (at - from) * perSecond,
    at: (x) => from + (x - left) / perSecond,
  };
}

function local(at: number): { hour: number; day: number; month: number } {
  const found: Record<string, number> = {};
  for (const part of parts.formatToParts(at * 1000)) found[part.type] = Number(part.value);
  return { hour: found["hour"] ?? 0, day: found["day"] ?? 1, month: found["month"] ?? 1 };
}

function days(view: Scale): Tick[] {
  const width = (DAY / (view.to - view.from)) * (view.right - view.left);
  const ticks: Tick[] = [];
  const fine = width > 500 ? 3 : width > 150 ? 6 : width > 80 ? 12 : 0;
  const every = Math.max(1, Math.ceil(54 / width));
  let seen = 0;
  const written = view.to - view.from > 9 * DAY ? times.dayMonth : times.day;
  for (let at = Math.ceil(view.from / HOUR) * HOUR; at <= view.to; at += HOUR) {
    const { hour } = local(at);
    if (hour === 0) {
      ticks.push({ at, label: seen % every === 0 ? written.format(at * 1000) : "", strong: true });
      seen += 1;
    } else if (fine && hour % fine === 0) {
      const label = width > 330 ? times.hour.format(at * 1000) : "";
      ticks.push({ at, label, strong: false });
    }
  }
  return ticks;
}

function months(view: Scale): Tick[] {
  const span = view.to - view.from;
  const perYear = (DAY * 365 * (view.right - view.left)) / span;
  const byYear = perYear < 420;
  const every = byYear ? Math.max(1, Math.ceil(44 / perYear)) : 1;
  const ticks: Tick[] = [];
  for (let at = Math.ceil(view.from / DAY) * DAY; at <= view.to; at += DAY) {
    const { day, month } = local(at);
    if (day !== 1) continue;
    if (month === 1) {
      const year = Number(times.year.format(at * 1000));
      const label = byYear ? (year % every === 0 ? String(year) : "") : times.month.format(at * 1000);
      if (label || perYear > 16) ticks.push({ at, label, strong: true });
    } else if (!byYear) {
      ticks.push({ at, label: perYear > 700 ? times.month.format(at * 1000) : "", strong: false });
    }
    at += 27 * DAY;
  }
  return ticks;
}

export function ticks(view: Scale): Tick[] {
  if (view.to - view.from >= 62 * DAY) return months(view);
  const found = days(view);
  const first = found.find((tick) => tick.strong);
  const lone = !first || view.x(first.at) - view.left > 60;
  return lone ? [{ at: view.from, label: (view.to - view.from > 9 * DAY ? times.dayMonth : times.day).format(view.from * 1000), strong: true }, ...found] : found;
}

/** How the cursor's moment is written on its flag: the hour when days can be told apart. */
export function flag(at: number, view: Scale): string {
  return (view.to - view.from < 20 * DAY ? times.hour : times.dayMonth).format(at * 1000);
}

/** The time beside a value: the hour on the same day, else the day too. */
export function beside(at: number, moment: number): string {
  const same = times.dayMonth.format(at * 1000) === times.dayMonth.format(moment * 1000) && moment - at < DAY;
  if (same) return times.hour.format(at * 1000);
  return moment - at < 300 * DAY ? `${times.dayMonth.format(at * 1000)} ${times.hour.format(at * 1000)}` : times.full.format(at * 1000);
}
