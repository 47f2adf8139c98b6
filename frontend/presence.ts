// What does the page do as time passes: the clock, the ages, the screen nobody watches?
import { ago, now, say, times } from "./words";

const IDLE_MS = Number(document.body.dataset.idleSeconds ?? 0) * 1000;

function tick(): void {
  const clock = document.querySelector("[data-clock]");
  const text = times.clock.format(now());
  if (clock && clock.textContent !== text) clock.textContent = text;
  for (const element of document.querySelectorAll<HTMLElement>("[data-ago]")) {
    const said = ago(now() - Date.parse(element.dataset.ago ?? ""));
    if (element.textContent !== said) element.textContent = said;
  }
}

function drawCurtain(): void {
  if (document.querySelector(".curtain")) return;
  const curtain = document.createElement("button");
  curtain.className = "curtain btn";
  curtain.textContent = say("curtain");
  document.body.append(curtain);
  curtain.focus();
}

export function toast(text: string, kind = "info"): void {
  const place = document.getElementById("toasts");
  if (!place || !text) return;
  const note = document.createElement("div");
  note.className = "toast";
  note.dataset.kind = kind;
  note.setAttribute("role", kind === "alarm" ? "alert" : "status");
  note.textContent = text;
  place.append(note);
  if (kind !== "alarm") window.setTimeout(() => note.remove(), 6_000);
  else note.addEventListener("click", () => note.remove());
}

export function startPresence(): void {
  tick();
  window.setInterval(tick, 5_000);
  document.addEventListener("htmx:afterSettle", tick);
  document.addEventListener("toast", (event) => {
    const detail = (event as CustomEvent<{ text?: string; kind?: string; value?: string }>).detail;
    toast(detail.text ?? detail.value ?? "", detail.kind);
  });
  document.addEventListener("htmx:responseError", (event) => {
    const request = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail.xhr;
    if (request.status === 401) location.reload();
    else toast(say("error.read"), "alarm");
  });
  if (!IDLE_MS) return;
  let last = Date.now();
  const alive = (): void => {
    last = Date.now();
    document.querySelector(".curtain")?.remove();
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    document.addEventListener(kind, alive, { passive: true });
  }
  window.setInterval(() => {
    if (Date.now() - last > IDLE_MS) drawCurtain();
  }, 5_000);
}
