// How is a shape made? Element by element: no text of the record is ever read as markup.

const SPACE = "http://www.w3.org/2000/svg";
type Attributes = Record<string, string | number>;

export function shape(name: string, attributes: Attributes, text = ""): SVGElement {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, typeof value === "number" ? String(Math.round(value * 10) / 10) : value);
  }
  if (text) element.textContent = text;
  return element;
}

export class Sheet {
  constructor(readonly root: SVGElement) {}

  add(name: string, attributes: Attributes, text = ""): SVGElement {
    const element = shape(name, attributes, text);
    this.root.append(element);
    return element;
  }

  text(x: number, y: number, text: string, kind: string, anchor = "start"): SVGElement {
    return this.add("text", { x, y, class: kind, "text-anchor": anchor }, text);
  }

  link(href: string, label: string): Sheet {
    const anchor = this.add("a", { href, "aria-label": label });
    anchor.append(shape("title", {}, label));
    return new Sheet(anchor);
  }
}

let ruler: CanvasRenderingContext2D | null = null;

/** How wide a text is at a size, in pixels. */
export function widthOf(text: string, size = 11.5, weight = 600): number {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.length * size * 0.56;
  ruler.font = `${weight} ${size}px "Inter Liane", sans-serif`;
  return ruler.measureText(text).width;
}
