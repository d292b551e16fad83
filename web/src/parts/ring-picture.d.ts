export type RingState = "ok" | "partial" | "fail" | "unknown" | "none";
export interface RingSegment { id: string; label: string; state: RingState; detail?: string; weight?: number; sector?: string; owner?: string; href?: string }
export interface Ring { id: string; label: string; hue?: string; segments: RingSegment[] }
export interface RingPath { id: string; label: string; kind?: "observed" | "possible"; mark?: string; href?: string; from?: string; steps: { ring: string; segment: string; result: "passed" | "slowed" | "stopped"; after?: string }[] }
export interface RingData { title?: string; centre?: { label?: string; value?: string; state?: RingState; href?: string; detail?: string }; sectors?: { id: string; label: string; href?: string }[]; rings: Ring[]; paths?: RingPath[] }
export function check(data: RingData): RingData;
/** `<ring-picture legend view="picture|list" labels="outside|none" compact .data=${RingData}>`; events ring-open, ring-focus. */
export class RingPicture extends HTMLElement { data: RingData; select(path: string | null): void; toList(): HTMLElement }
