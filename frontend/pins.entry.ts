// Which analyses does this reader keep on the time axis? The choice stays in this browser.
import { setCookie } from "./theme";

function pinned(): string[] {
  return [...document.querySelectorAll<HTMLElement>('[data-pin][aria-pressed="true"]')].map((b) => b.dataset.pin ?? "");
}

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-pin]");
  if (!button) return;
  const on = button.getAttribute("aria-pressed") !== "true";
  for (const same of document.querySelectorAll(`[data-pin="${CSS.escape(button.dataset.pin ?? "")}"]`)) {
    same.setAttribute("aria-pressed", String(on));
  }
  setCookie("liane_pins", [...new Set(pinned())].slice(0, 12).join("|"));
});
