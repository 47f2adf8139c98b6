// How does a reader move through the images of a series without waiting for each?
//
// Wheel, arrow keys, swipe and slider change the image; the neighbours are fetched ahead; a window
// preset asks for the same image in other greys. The page works without this script, by links.

interface Packed {
  prefix: string;
  slices: [string, number][];
}

const AHEAD = 4;
const KEPT = 120;

class Viewer {
  private readonly packed: Packed;
  private readonly image = document.getElementById("slice") as HTMLImageElement;
  private readonly failed = document.getElementById("slice-failed") as HTMLElement;
  private readonly range = document.getElementById("slice-range") as HTMLInputElement | null;
  private readonly ready = new Map<string, HTMLImageElement>();
  private at: number;
  private preset = "";
  private wheel = 0;
  private touch = 0;

  constructor(private readonly box: HTMLElement) {
    this.packed = JSON.parse(box.dataset["slices"] ?? '{"prefix":"","slices":[]}') as Packed;
    this.at = Number(box.dataset["at"]) - 1;
    this.listen();
    this.show();
  }

  private address(index: number): string {
    const [name, frame] = this.packed.slices[index] ?? ["", 0];
    const window = this.preset ? `?window=${this.preset}` : "";
    return `${this.box.dataset["base"]}/pictures/${this.packed.prefix}${name}/${frame}${window}`;
  }

  private fetched(index: number): HTMLImageElement {
    const address = this.address(index);
    let image = this.ready.get(address);
    if (!image) {
      image = new Image();
      image.src = address;
      this.ready.set(address, image);
      const oldest = this.ready.keys().next().value;
      if (this.ready.size > KEPT && oldest) this.ready.delete(oldest);
    }
    return image;
  }

  /** The words of the image change with the image, never before it: a number beside another
   *  image's pixels would be a lie. */
  private show(): void {
    const wanted = this.at;
    const image = this.fetched(wanted);
    const settle = (shown: boolean): void => {
      if (wanted !== this.at) return;
      this.failed.hidden = shown;
      if (shown) this.image.src = image.src;
      else this.image.removeAttribute("src");
      this.tell();
      for (let step = 1; step <= AHEAD; step++) {
        for (const index of [wanted + step, wanted - step]) {
          if (index >= 0 && index < this.packed.slices.length) this.fetched(index);
        }
      }
    };
    if (image.complete && image.naturalWidth) settle(true);
    else image.decode().then(() => settle(true), () => settle(false));
  }

  private tell(): void {
    const text = (this.box.dataset["count"] ?? "{n}").replace("{n}", String(this.at + 1));
    const number = document.getElementById("slice-number");
    if (number) number.textContent = text;
    this.image.alt = text;
    const window = document.getElementById("slice-window");
    if (window) window.textContent = this.preset ? `C ${this.preset.replace(",", " · L ")}` : "";
    if (this.range) this.range.value = String(this.at + 1);
    const address = new URL(location.href);
    address.searchParams.set("series", this.box.dataset["series"] ?? "");
    address.searchParams.set("image", String(this.at + 1));
    history.replaceState(null, "", address);
  }

  private go(index: number): void {
    const next = Math.min(Math.max(index, 0), this.packed.slices.length - 1);
    if (next === this.at) return;
    this.at = next;
    this.show();
  }

  private listen(): void {
    this.box.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    document.addEventListener("keydown", (event) => this.key(event));
    this.range?.addEventListener("input", () => this.go(Number(this.range?.value) - 1));
    for (const [id, step] of [["slice-back", -1], ["slice-forward", 1]] as const) {
      document.getElementById(id)?.addEventListener("click", (event) => {
        event.preventDefault();
        this.go(this.at + step);
      });
    }
    this.box.addEventListener("touchstart", (event) => {
      this.touch = event.touches[0]?.clientY ?? 0;
    }, { passive: true });
    this.box.addEventListener("touchmove", (event) => this.swipe(event), { passive: true });
    for (const button of this.box.querySelectorAll<HTMLButtonElement>("[data-preset]")) {
      button.addEventListener("click", () => this.choose(button));
    }
  }

  private roll(event: WheelEvent): void {
    if (event.ctrlKey) return;
    event.preventDefault();
    this.wheel += event.deltaY;
    const steps = Math.trunc(this.wheel / 40);
    if (!steps) return;
    this.wheel = 0;
    this.go(this.at + Math.sign(steps) * Math.min(Math.abs(steps), 3));
  }

  private swipe(event: TouchEvent): void {
    const y = event.touches[0]?.clientY ?? 0;
    const steps = Math.trunc((this.touch - y) / 14);
    if (!steps) return;
    this.touch = y;
    this.go(this.at + steps);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (target.closest("input, textarea, select, dialog") || event.ctrlKey || event.altKey) return;
    const moves: Record<string, number> = {
      ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10,
      Home: -Infinity, End: Infinity,
    };
    const step = moves[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.go(this.at + step);
  }

  private choose(chosen: HTMLButtonElement): void {
    this.preset = chosen.dataset["preset"] ?? "";
    for (const button of this.box.querySelectorAll<HTMLElement>("[data-preset]")) {
      button.setAttribute("aria-pressed", String(button === chosen));
    }
    this.show();
  }
}

const viewer = document.getElementById("viewer");
if (viewer) new Viewer(viewer);
