// The part of htmx that the islands use.
declare module "htmx.org" {
  interface Htmx {
    ajax(verb: string, path: string, context: { source?: Element; target?: Element; swap?: string; select?: string }): Promise<void>;
    config: Record<string, unknown>;
    process(element: Element): void;
  }
  const htmx: Htmx;
  export default htmx;
}
