// Event hubs: their resources (ARM) and what they do now (the portal's own endpoint).
import { list, type Resource } from "./arm";
import { get, post } from "./client";
import { session } from "./session";

/** A second, of the last 5 seconds or the last minute; absent: not measured yet. */
export interface Rate { in: number; out: number; inBytes: number; outBytes: number }
export interface Partition { id: string; begin: number; end: number; bytes: number; lastEnqueued: string | null; sentSinceStart: number; readSinceStart: number; now?: Rate; minute?: Rate }
/** `lag` null: its readers keep their positions themselves, so nobody here knows how far they are. */
export interface Group { name: string; lag: number | null; partitions?: number; committed?: string }
export interface HubState { time: string; namespace: string; hub: string; id: string; status: string; refusedSinceStart: number; now?: Rate; minute?: Rate; partitions: Partition[]; groups: Group[] }
export interface HubEventRow { partition: string; sequenceNumber: number; offset: string; enqueuedTime: string; partitionKey?: string; publisher?: string; contentType?: string; properties?: Record<string, unknown>; systemProperties?: Record<string, unknown>; body?: unknown; bodyBase64?: string }
export interface Look { value: Omit<HubEventRow, "partition">[]; partition: string; begin: number; end: number; looked: number; next: number }

const provider = "Microsoft.EventHub/namespaces";
export const spaces = (signal?: AbortSignal): Promise<Resource[]> => list(`/subscriptions/${session().subscription}/providers/${provider}`, { signal });
export const hubsOf = (space: string, signal?: AbortSignal): Promise<Resource[]> => list(`${space}/eventhubs`, { signal });
const path = (ns: string, hub: string, rest = ""): string => `/portal/api/hubs/${encodeURIComponent(ns)}/${encodeURIComponent(hub)}${rest}`;
export const hubState = (ns: string, hub: string, signal?: AbortSignal): Promise<HubState> => get<HubState>(path(ns, hub), { signal });

/** Events of one partition, oldest first. With a filter the server looks at up to 20,000 events at once. */
export async function peek(ns: string, hub: string, o: { partition: string; from?: string | number; count?: number; filter?: string; signal?: AbortSignal }): Promise<{ rows: HubEventRow[]; look: Look }> {
  const look = await get<Look>(path(ns, hub, "/events"), { signal: o.signal, query: { partition: o.partition, from: o.from ?? "newest", count: o.count ?? 50, filter: o.filter || undefined } });
  return { rows: look.value.map((v) => ({ ...v, partition: look.partition })), look };
}
export const sendEvent = (ns: string, hub: string, body: { body: unknown; partition?: number; partitionKey?: string; contentType?: string; properties?: Record<string, unknown> }): Promise<{ partition: string; sequenceNumber: number; enqueuedTime: string }> => post(path(ns, hub, "/events"), body);

export const eventKey = (e: { partition: string; sequenceNumber: number }): string => `${e.partition}:${e.sequenceNumber}`;
/** The body as one line. */
export const bodyText = (e: HubEventRow): string => (e.bodyBase64 !== undefined ? e.bodyBase64 : typeof e.body === "string" ? e.body : JSON.stringify(e.body ?? null));
/** The partition that takes half as much again as an even share, or more. */
export const hot = (s: HubState): { partition: Partition; share: number; even: number } | null => {
  const rates = s.partitions.map((p) => p.minute?.in ?? 0), sum = rates.reduce((a, b) => a + b, 0), even = 1 / (s.partitions.length || 1);
  if (s.partitions.length < 2 || sum < 0.5) return null;
  const i = rates.indexOf(Math.max(...rates)), share = rates[i] / sum;
  return share > even * 1.5 ? { partition: s.partitions[i], share, even } : null;
};
