// One stream of server-sent events for the tab. Read by fetch, since EventSource cannot send the portal's header.
import { open, sessionEnded, setConnection } from "./client";

export interface Pulse { time: string; rowsPerSecond: number | null; rowsTotal?: number; newestRow: string | null; silent: number; sources: number; logHeads?: string | null }
export interface IncidentEvent { number: number; id: string; title: string; severity: string; status: string; owner?: string; time?: string }
export interface HubEvent { hub: string; time: string; in: number; out: number; inBytes: number; outBytes: number }
interface Events { pulse: Pulse; incident: IncidentEvent; hub: HubEvent; [more: string]: any }
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
let hubs: readonly string[] = [], cut: AbortController | undefined, asked = false;
/** Rates of these hubs ("namespace/hub") come as events `hub` from now on; an empty list ends it. The stream begins anew, which nobody sees. */
export function setHubs(next: readonly string[]): void {
  if (next.join() === hubs.join()) return;
  hubs = next;
  asked = true;
  cut?.abort();
}

/** When the newest pulse was made, by the server's clock: whatever is told later than this may be news. */
let heard = "";
let started = false;
export function startLive(): void {
  if (started) return;
  started = true;
  void run();
}
async function run(): Promise<void> {
  for (let turn = 0, streams = 0; ; turn++) {
    const end = (cut = new AbortController());
    let over = false;   // the server or the page ends this stream and wants the next one
    asked = false;
    let watch = setTimeout(() => end.abort(), quiet);
    try {
      const r = await open("/portal/api/live", { signal: end.signal, safe: false, query: { hubs: hubs.length ? hubs.join(",") : undefined }, headers: { accept: "text/event-stream" } });
      const reader = r.body!.getReader(), text = new TextDecoder();
      const take = parser((event, data) => {
        if (event === "end") over = true;
        try {
          const told = JSON.parse(data);
          if (event === "pulse") heard = told.time;
          publish(event, event === "missed" ? { ...told, since: heard } : told);
        } catch { /* not ours */ }
      });
      // A stream begins with what happens from now on: what happened since the one before is not in it.
      if (streams++ && heard) publish("missed", { what: "incidents", since: heard });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        turn = 0;
        setConnection("live");
        clearTimeout(watch);
        watch = setTimeout(() => end.abort(), quiet);
        take(text.decode(value, { stream: true }));
      }
    } catch (e) {
      const status = (e as { status?: number }).status;
      clearTimeout(watch);
      if (asked) { turn = -1; continue; }
      if (status === 401) { await back(); turn = 0; continue; }
      if (status && status < 500) { setConnection("waiting"); await new Promise((ok) => setTimeout(ok, 15_000)); continue; }   // it answers, but gives no stream
    }
    clearTimeout(watch);
    if (over || asked) { turn = -1; await new Promise((ok) => setTimeout(ok, 200)); continue; }
    setConnection("offline");
    const wait = Math.min(15_000, 500 * 2 ** Math.min(turn, 5));
    await new Promise((ok) => setTimeout(ok, wait * (0.75 + Math.random() / 2)));
  }
}
/** After the session's end there is nothing to ask until somebody has signed in again. */
async function back(): Promise<void> {
  if (sessionEnded.value) await new Promise<void>((ok) => { const stop = sessionEnded.watch((v) => { if (!v) { stop(); ok(); } }); });
}
