// Which words does the script say? Those the server wrote into the page, in the reader's language.

const source = document.querySelector<HTMLMetaElement>('meta[name="liane-words"]');
const words: Record<string, string> = source ? JSON.parse(source.content) : {};

export const language = document.documentElement.lang || "fr";

/** The word named `key`, with its {placeholders} filled in. */
export function say(key: string, values: Record<string, string | number> = {}): string {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

const serverNow = Number(document.body.dataset.now ?? 0);
/** How far this machine's clock is from the hospital's, in milliseconds. */
export const clockOffset = serverNow ? serverNow * 1000 - Date.now() : 0;

/** The hospital's present instant, in milliseconds. */
export function now(): number {
  return Date.now() + clockOffset;
}

const zone = "Europe/Paris";
const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat(language === "en" ? "en-GB" : "fr-FR", { timeZone: zone, ...options });

export const times = {
  clock: format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
  hour: format({ hour: "2-digit", minute: "2-digit" }),
  day: format({ weekday: "short", day: "numeric" }),
  dayMonth: format({ day: "numeric", month: "short" }),
  month: format({ month: "short", year: "numeric" }),
  year: format({ year: "numeric" }),
  full: format({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }),
};

/** 40 s, 6 min, 3 h, 2 j: how long ago, short enough to stand beside a value. */
export function ago(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return say("ago.seconds", { n: seconds });
  if (seconds < 3600) return say("ago.minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 172800) return say("ago.hours", { n: Math.floor(seconds / 3600) });
  const days = Math.floor(seconds / 86400);
  if (days < 61) return say("ago.days", { n: days });
  return days < 730 ? say("ago.months", { n: Math.floor(days / 30) }) : say("ago.years", { n: Math.floor(days / 365) });
}
