// Asks the server, at this origin only. Each call carries the portal's header; the session is a cookie that scripts cannot see.
import { signal } from "./signals";

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly requestId = "", readonly details: unknown = undefined) { super(message); this.name = "ApiError"; }
  /** The right is missing (not: the session has ended). */
  get forbidden(): boolean { return this.status === 403; }
  /** The server did not answer at all. */
  get unreachable(): boolean { return this.status === 0; }
}

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  /** Sent as JSON. A string or bytes go as they are with `type`. */
  body?: unknown;
  type?: string;
  query?: Record<string, string | number | boolean | undefined | null>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Asking twice does no harm: tried again while the server restarts. GET and HEAD are safe anyway. */
  safe?: boolean;
}
export interface Answer<T = unknown> { status: number; headers: Headers; body: T }

/** Whether the server answers, and since when it does not. */
export const connection = signal<{ state: "live" | "waiting" | "offline"; since: number }>({ state: "waiting", since: Date.now() });
export function setConnection(state: "live" | "waiting" | "offline"): void {
  if (connection.value.state !== state) connection.set({ state, since: Date.now() });
}
/** True after an answer 401: the shell shows a bar, pages keep what was typed. */
export const sessionEnded = signal(false);

const waits = [300, 700, 1500, 3000, 5000, 5000];
const restarting = new Set([502, 503, 504]);
const pause = (ms: number, end?: AbortSignal) => new Promise<void>((ok, no) => {
  const stop = () => { clearTimeout(timer); no(end!.reason); };
  const timer = setTimeout(() => { end?.removeEventListener("abort", stop); ok(); }, ms);
  end?.addEventListener("abort", stop, { once: true });
});

/** The fetch itself with header and retries: for streams and files. Throws ApiError for anything but 2xx. */
export async function open(path: string, ask: Ask = {}): Promise<Response> {
  if (!path.startsWith("/") || path.startsWith("//")) throw new TypeError(`not a path of this origin: ${path}`);
  const { method = "GET", body, query = {}, headers = {}, signal } = ask;
  const q = Object.entries(query).filter(([, v]) => v !== undefined && v !== null).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(String(v))}`).join("&");
  const url = q ? path + (path.includes("?") ? "&" : "?") + q : path;
  const raw = typeof body === "string" || body instanceof Uint8Array || body instanceof Blob;
  const init: RequestInit = {
    method, signal, credentials: "same-origin", cache: "no-store", redirect: "error",
    headers: { accept: "application/json", "x-ringfort-portal": "1", ...(body === undefined ? {} : { "content-type": ask.type ?? "application/json" }), ...headers },
    body: body === undefined ? undefined : raw ? (body as BodyInit) : JSON.stringify(body),
  };
  const safe = ask.safe ?? (method === "GET" || method === "HEAD");
  for (let turn = 0; ; turn++) {
    let r: Response | undefined;
    try { r = await fetch(url, init); }
    catch (e) { if (signal?.aborted) throw signal.reason; if (!(e instanceof TypeError)) throw e; }
    if (r?.status === 429 && safe && turn < waits.length) { await pause(Math.min(5, Number(r.headers.get("retry-after")) || 1) * 1000, signal); continue; }
    if (r && !restarting.has(r.status)) {
      setConnection("live");
      if (r.ok) return r;
      throw await failure(r);
    }
    setConnection("offline");
    if (!safe || turn >= waits.length) {
      if (r) throw await failure(r);
      throw new ApiError(0, "NoAnswer", "The server does not answer.");
    }
    await pause(waits[turn], signal);
  }
}

/** What an error answer says, in any of the shapes that the server's APIs use. */
async function failure(r: Response): Promise<ApiError> {
  const text = await r.text().catch(() => "");
  let code = r.headers.get("x-ms-error-code") ?? "", message = "", details: unknown;
  try {
    const j = JSON.parse(text), e = typeof j.error === "object" && j.error ? j.error : j;
    details = e;
    // Log queries put the useful sentence innermost.
    let inner = e;
    while (inner.innererror && typeof inner.innererror === "object") inner = inner.innererror;
    code ||= String(e.code ?? (typeof j.error === "string" ? j.error : ""));
    message = String(inner.message ?? e.message ?? j.error_description ?? "");
    if (e.innererror && e.message && inner.message !== e.message) message = String(inner.message ?? e.message);
  } catch { message = r.headers.get("content-type")?.includes("text/plain") ? text.slice(0, 500) : ""; }
  if (r.status === 401 || code === "SessionOver") sessionEnded.set(true);
  return new ApiError(r.status, code || `HTTP ${r.status}`, message, r.headers.get("x-ms-request-id") ?? r.headers.get("request-id") ?? r.headers.get("x-ms-correlation-request-id") ?? "", details);
}

/** Asks and reads JSON (or text, where the answer is none). */
export async function send<T = unknown>(path: string, ask: Ask = {}): Promise<Answer<T>> {
  const r = await open(path, ask);
  const text = r.status === 204 ? "" : await r.text().catch((e: unknown) => { throw ask.signal?.aborted || !(e instanceof TypeError) ? e : new ApiError(0, "NoAnswer", "The answer broke off."); });
  const json = /json/.test(r.headers.get("content-type") ?? "");
  return { status: r.status, headers: r.headers, body: (text === "" ? undefined : json ? JSON.parse(text) : text) as T };
}
export const get = async <T = unknown>(path: string, ask: Ask = {}): Promise<T> => (await send<T>(path, ask)).body;
export const post = async <T = unknown>(path: string, body?: unknown, ask: Ask = {}): Promise<T> => (await send<T>(path, { method: "POST", body, ...ask })).body;
export const put = async <T = unknown>(path: string, body?: unknown, ask: Ask = {}): Promise<T> => (await send<T>(path, { method: "PUT", body, ...ask })).body;
export const patch = async <T = unknown>(path: string, body?: unknown, ask: Ask = {}): Promise<T> => (await send<T>(path, { method: "PATCH", body, ...ask })).body;
export const del = async <T = unknown>(path: string, ask: Ask = {}): Promise<T> => (await send<T>(path, { method: "DELETE", ...ask })).body;
