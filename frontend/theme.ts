// Day, night, or as the machine says: what did this person choose?

const CHOICES = ["auto", "day", "night"] as const;
const YEAR_SECONDS = 31_536_000;

export function setCookie(name: string, value: string): void {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;
}

function show(choice: string): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
  }
}

export function startTheme(): void {
  const root = document.documentElement;
  show(root.dataset.theme ?? "auto");
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-theme-choice], [data-theme-next]");
    if (!button) return;
    const present = CHOICES.indexOf((root.dataset.theme ?? "auto") as (typeof CHOICES)[number]);
    const choice = button.dataset.themeChoice ?? CHOICES[(present + 1) % CHOICES.length] ?? "auto";
    root.dataset.theme = choice;
    setCookie("liane_theme", choice);
    show(choice);
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-language]");
    if (!button) return;
    setCookie("liane_language", button.dataset.language ?? "fr");
    location.reload();
  });
}
