// One stream of server-sent events for the tab. Read by fetch, since EventSource cannot send the portal's header.
import { open, sessionEnded, setConnection } from "./client";

export interface Pulse { time: string; rowsPerSecond: number; newestRow: string | null; silent: number; sources: number; logHeads: string | null }
export interface IncidentEvent { number: number; id: string; title: string; severity: string; status: string }
interface Events { pulse: Pulse; incident: IncidentEvent; [more: string]: any }
type Seen = (data: any) => void;

const seen = new Map<string, Set<Seen>>();
/** Calls `cb` with each event of that name, at most four times a second; of `pulse` only the newest. The answer ends it. */
export function subscribe<K extends keyof Events & string>(event: K, cb: (data: Events[K]) => void): () => void {
  let all = seen.get(event);
  if (!all) seen.set(event, (all = new Set()));
  all.add(cb);
  return () => { all!.delete(cb); };
}

let waiting: [string, unknown][] = [], paint: ReturnType<typeof setTimeout> | undefined, last = 0;
function deliver(): void {
  paint = undefined;
  last = Date.now();
  const now = waiting;
  waiting = [];
  for (const [event, data] of now) for (const cb of [...(seen.get(event) ?? [])]) cb(data);
}
/** Takes an event in: also for events that the page makes itself. */
export function publish(event: string, data: unknown): void {
  if (event === "pulse") waiting = waiting.filter(([e]) => e !== "pulse");
  if (waiting.length < 2000) waiting.push([event, data]);
  paint ??= setTimeout(deliver, Math.max(0, 250 - (Date.now() - last)));
}

/** Takes the stream's text apart: call it with each piece. Comments (lines with a colon first) only show that the server lives. */
export function parser(give: (event: string, data: string) => void): (piece: string) => void {
  let rest = "", event = "", data: string[] = [];
  return (piece) => {
    rest += piece;
    let end: number;
    while ((end = rest.search(/\r\n|\n|\r(?=[^\n])/)) >= 0) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + (rest.startsWith("\r\n", end) ? 2 : 1));
      if (line === "") { if (data.length) give(event || "message", data.join("\n")); event = ""; data = []; continue; }
      const at = line.indexOf(":"), field = at < 0 ? line : line.slice(0, at), value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
  };
}

const quiet = 45_000;   // longer than any pause of the server's pulse: the line is dead
let started = false;
export function startLive(): void {
  if (started) return;
  started = true;
  void run();
}
async function run(): Promise<void> {
  for (let turn = 0; ; turn++) {
    const end = new AbortController();
    let watch = setTimeout(() => end.abort(), quiet);
    try {
      const r = await open("/portal/api/live", { signal: end.signal, safe: false, headers: { accept: "text/event-stream" } });
      const reader = r.body!.getReader(), text = new TextDecoder();
      const take = parser((event, data) => { try { publish(event, JSON.parse(data)); } catch { /* not ours */ } });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        turn = 0;
        setConnection("live");
        clearTimeout(watch);
        watch = setTimeout(() => end.abort(), quiet);
        take(text.decode(value, { stream: true }));
      }
    } catch (e) { if ((e as { status?: number }).status === 401) { await back(); turn = 0; continue; } }
    clearTimeout(watch);
    setConnection("offline");
    const wait = Math.min(15_000, 500 * 2 ** Math.min(turn, 5));
    await new Promise((ok) => setTimeout(ok, wait * (0.75 + Math.random() / 2)));
  }
}
/** After the session's end there is nothing to ask until somebody has signed in again. */
async function back(): Promise<void> {
  if (sessionEnded.value) await new Promise<void>((ok) => { const stop = sessionEnded.watch((v) => { if (!v) { stop(); ok(); } }); });
}
