// What does a key do when nobody is typing?
//
// "/" or Ctrl+K searches, "?" shows the keys of this page, a letter printed on a button presses
// that button (data-shortcut). Nothing fires while a field has the focus.

function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input, textarea, select, [contenteditable=true]");
}

export function openDialog(id: string): void {
  const dialog = document.getElementById(id) as HTMLDialogElement | null;
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector<HTMLInputElement>("input")?.select();
}

function press(key: string): boolean {
  const open = document.querySelector("dialog[open]");
  const scope: ParentNode = open ?? document;
  const target = scope.querySelector<HTMLElement>(`[data-shortcut="${CSS.escape(key)}"]`);
  if (!target || target.hidden) return false;
  target.click();
  return true;
}

function moveAmongResults(event: KeyboardEvent): void {
  const palette = (event.target as Element).closest?.<HTMLDialogElement>(".palette");
  if (palette && event.key === "Escape") {
    event.preventDefault(); // one press closes; a search field alone would only empty itself
    palette.close();
    return;
  }
  if (!palette || !["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
  const options = [...palette.querySelectorAll<HTMLElement>(".results a")];
  const at = options.indexOf(document.activeElement as HTMLElement);
  if (event.key === "Enter") {
    if (at < 0 && options[0]) {
      event.preventDefault();
      options[0].click();
    }
    return;
  }
  event.preventDefault();
  const next = event.key === "ArrowDown" ? at + 1 : at - 1;
  if (next < 0) palette.querySelector("input")?.focus();
  else options[Math.min(next, options.length - 1)]?.focus();
}

function moveAmongRows(event: KeyboardEvent): void {
  if (event.key !== "j" && event.key !== "k") return;
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.max(0, Math.min(rows.length - 1, event.key === "j" ? at + 1 : at - 1))];
  (next?.matches("a, button") ? next : next?.querySelector<HTMLElement>("a, button"))?.focus();
  event.preventDefault();
}

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    moveAmongResults(event);
    if (event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openDialog("palette");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/" && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      openDialog("palette");
    } else if (event.key === "?") {
      openDialog("help");
    } else if (event.key.length === 1 && press(event.key.toLowerCase())) {
      event.preventDefault();
    } else {
      moveAmongRows(event);
    }
  });
  document.addEventListener("click", (event) => {
    const target = event.target as HTMLElement;
    const opener = target.closest<HTMLElement>("[data-opens]");
    if (opener) {
      event.preventDefault();
      openDialog(opener.dataset.opens ?? "");
    }
    if (target.closest("[data-closes]") || target.matches("dialog")) target.closest("dialog")?.close();
    const row = target.closest<HTMLElement>("tr[data-href]");
    if (row && !target.closest("a, button, input") && !getSelection()?.toString()) {
      location.assign(row.dataset.href ?? "");
    }
  });
}
