// How does a page follow the record without missing or doubling a change?
//
// One socket per page. The server numbers every change; the page remembers the last position it
// has seen and resumes from it after a cut. A message at or before that position is old news.

export interface Change {
  topic: string;
  type: string;
  id: string;
  version: number;
  patient: string | null;
  at: string | null;
  facts?: Record<string, unknown>;
}

interface Message {
  position?: number;
  events?: Change[];
  reload?: boolean;
}

export interface Listener {
  changes(changes: Change[]): void;
  /** The server cannot say what was missed: everything must be read again. */
  reset(): void;
  state(state: "live" | "offline", since: number): void;
  /** The session was closed: nothing more is said until the person signs in again. */
  signedOut(): void;
}

const SIGNED_OUT = 4401;

const SILENCE_MS = 40_000; // the server speaks at least every 15 s
const GRACE_MS = 1_500; // a cut shorter than this is not shown
const LONGEST_WAIT_MS = 15_000;

export class Channel {
  private socket: WebSocket | null = null;
  private attempts = 0;
  private lastHeard = Date.now();
  private retry = 0;
  private grace = 0;
  private cutAt = 0;
  private closed = false;

  constructor(
    private readonly url: string,
    private position: number,
    private topics: () => string[],
    private readonly listener: Listener,
    private readonly random: () => number = Math.random,
  ) {
    window.setInterval(() => this.watch(), 5_000);
    window.addEventListener("online", () => this.connect(true));
    window.addEventListener("offline", () => this.socket?.close());
    window.addEventListener("pagehide", () => this.stop());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.resume();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.connect();
    });
    this.connect();
  }

  /** Tell the server which topics the page shows now. */
  subscribe(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ subscribe: this.topics(), since: this.position }));
  }

  private connect(again = false): void {
    if (this.closed) return;
    const state = this.socket?.readyState;
    if (state === WebSocket.OPEN || (state === WebSocket.CONNECTING && !again)) return;
    window.clearTimeout(this.retry);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => this.subscribe();
    socket.onmessage = (event) => this.hear(JSON.parse(String(event.data)) as Message);
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      if (event.code === SIGNED_OUT) {
        this.stop();
        this.listener.signedOut();
      } else this.lost();
    };
  }

  private hear(message: Message): void {
    this.lastHeard = Date.now();
    this.attempts = 0;
    window.clearTimeout(this.grace);
    this.grace = 0;
    this.cutAt = 0;
    this.listener.state("live", this.lastHeard);
    if (message.reload) this.listener.reset();
    if (message.position === undefined) return;
    const fresh = message.position > this.position;
    this.position = Math.max(this.position, message.position);
    if (fresh && message.events?.length) this.listener.changes(message.events);
  }

  private lost(): void {
    if (this.closed) return;
    this.cutAt ||= Date.now();
    if (!this.grace) {
      this.grace = window.setTimeout(() => this.listener.state("offline", this.cutAt), GRACE_MS);
    }
    const ceiling = Math.min(LONGEST_WAIT_MS, 400 * 2 ** this.attempts);
    this.attempts += 1;
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.connect(), ceiling * (0.3 + 0.7 * this.random()));
  }

  private watch(): void {
    const open = this.socket?.readyState === WebSocket.OPEN;
    if (open && Date.now() - this.lastHeard > SILENCE_MS) {
      const silent = this.socket;
      this.socket = null; // its late close must not count twice
      silent?.close();
      this.lost();
    }
  }

  private stop(): void {
    this.closed = true;
    window.clearTimeout(this.retry);
    window.clearTimeout(this.grace);
    this.socket?.close();
  }

  private resume(): void {
    this.closed = false;
    this.grace = 0;
    this.lastHeard = Date.now();
    this.connect(true);
  }
}
