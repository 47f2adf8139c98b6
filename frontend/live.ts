// How does a new result appear on an open page by itself, without moving what the eye is on?
//
// An element says what it follows: data-live="patient:<id> Observation DiagnosticReport" and
// where its fresh text is (hx-get). Changes are gathered for a moment, then each element that
// follows one of them is read again. Children with data-key that were not there before slide in.
import htmx from "htmx.org";
import { Channel, type Change } from "./channel";
import { say, times } from "./words";

const FIRST_WAIT_MS = 15;
const NEXT_WAIT_MS = 250;

const waiting = new Set<Element>();
let timer = 0;
let lastFlush = 0;
let busy = false;
let channel: Channel | null = null;
let unseen = 0;
const title = document.title;

function follows(element: Element, change: Change): boolean {
  const [topic, ...types] = (element.getAttribute("data-live") ?? "").split(/\s+/);
  return topic === change.topic && (types.length === 0 || types.includes(change.type));
}

function liveElements(): Element[] {
  return [...document.querySelectorAll("[data-live]")];
}

export function topics(): string[] {
  const found = liveElements().map((element) => element.getAttribute("data-live")?.split(/\s+/)[0] ?? "");
  return [...new Set(found.filter(Boolean))].sort();
}

function plan(elements: Iterable<Element>): void {
  for (const element of elements) waiting.add(element);
  if (timer || busy || waiting.size === 0) return;
  const rest = Math.max(FIRST_WAIT_MS, lastFlush + NEXT_WAIT_MS - Date.now());
  timer = window.setTimeout(() => void flush(), rest);
}

async function flush(): Promise<void> {
  timer = 0;
  busy = true;
  lastFlush = Date.now();
  const batch = [...waiting].filter((element) => element.isConnected && element.hasAttribute("hx-get"));
  waiting.clear();
  await Promise.allSettled(batch.map(refresh));
  busy = false;
  plan([]);
}

function keysOf(element: Element): Set<string> {
  return new Set([...element.querySelectorAll("[data-key]")].map((child) => child.getAttribute("data-key") ?? ""));
}

/** The scrolling ancestor and the first keyed child in view: what the eye may be on. */
function anchor(element: Element): { scroller: Element; key: string; top: number } | null {
  let scroller: Element | null = element;
  while (scroller && scroller.scrollTop === 0) scroller = scroller.parentElement;
  if (!scroller) return null;
  const edge = scroller.getBoundingClientRect().top;
  for (const child of document.querySelectorAll("[data-key]")) {
    const top = child.getBoundingClientRect().top;
    if (top >= edge) return { scroller, key: child.getAttribute("data-key") ?? "", top };
  }
  return null;
}

async function refresh(element: Element): Promise<void> {
  const address = element.getAttribute("hx-get") ?? "";
  const before = keysOf(element);
  const eye = anchor(element);
  const id = element.id;
  await htmx.ajax("GET", address, { source: element, target: element, swap: element.getAttribute("hx-swap") ?? "outerHTML" });
  const fresh = id ? document.getElementById(id) : element;
  if (!fresh) return;
  if (eye) {
    const same = document.querySelector(`[data-key="${CSS.escape(eye.key)}"]`);
    if (same) eye.scroller.scrollTop += same.getBoundingClientRect().top - eye.top;
  }
  const arrived = [...fresh.querySelectorAll("[data-key]")].filter(
    (child) => !before.has(child.getAttribute("data-key") ?? ""),
  );
  for (const child of arrived) child.classList.add("arrived");
  if (arrived.length) announce(fresh.getAttribute("data-live-announce") ?? "");
}

function announce(text: string): void {
  const log = document.getElementById("live-log");
  if (log && text) log.textContent = `${text} (${times.hour.format(new Date())})`;
  if (document.hidden) {
    unseen += 1;
    document.title = `(${unseen}) ${title}`;
  }
}

function showState(state: "live" | "offline", since: number): void {
  const sign = document.querySelector<HTMLElement>("[data-live-state]");
  if (sign && sign.dataset.state !== state) {
    sign.dataset.state = state;
    sign.textContent = say(state === "live" ? "live.on" : "live.off");
  }
  document.documentElement.classList.toggle("is-offline", state === "offline");
  const banner = document.getElementById("offline-banner");
  if (!banner) return;
  banner.hidden = state === "live";
  const text = say("live.cut", { time: times.hour.format(new Date(since)) });
  const place = banner.querySelector("span");
  if (state === "offline" && place) place.textContent = text;
}

function onChanges(changes: Change[]): void {
  document.dispatchEvent(new CustomEvent("liane:changes", { detail: changes }));
  plan(liveElements().filter((element) => changes.some((change) => follows(element, change))));
}

export function startLive(): void {
  const position = document.body.dataset.position;
  if (position === undefined || position === "") return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  channel = new Channel(`${scheme}://${location.host}/live`, Number(position), topics, {
    changes: onChanges,
    reset: () => {
      document.dispatchEvent(new CustomEvent("liane:reset"));
      plan(liveElements());
    },
    state: showState,
    signedOut: () => {
      showState("offline", Date.now());
      const place = document.querySelector("#offline-banner span");
      if (place) place.textContent = say("live.signed_out");
    },
  });
  let known = topics().join(" ");
  document.addEventListener("htmx:afterSettle", () => {
    const present = topics().join(" ");
    if (present !== known) channel?.subscribe();
    known = present;
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = 0;
    document.title = title;
  });
}
