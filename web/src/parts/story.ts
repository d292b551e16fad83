// What happened, in order: time, number, what, and the ring that was passed, slowed or stopped it. Each item opens its rows.
import { html, nothing } from "lit";
import { clock, stamp } from "../data/time";
import { t } from "../i18n";

export interface StoryItem { time: string | Date; title: string; text?: string; severity?: "high" | "medium" | "low" | "info" | "ok"; ring?: string; result?: "passed" | "slowed" | "stopped"; href?: string }
export const story = (items: StoryItem[]): unknown => html`<ol class="story">${items.map((s, i) => html`<li><time title=${stamp(s.time)}>${clock(s.time)}</time><span class="dot c-${s.severity ?? "info"}" aria-hidden="true">${i + 1}</span><div><h3>${s.href ? html`<a class="nm" href=${s.href}>${s.title}</a>` : s.title}</h3>${s.text ? html`<p>${s.text}</p>` : nothing}</div>${s.ring || s.result ? html`<div class="rt sm">${s.ring ? html`<span class="b">${s.ring}</span>` : nothing}${s.result ? html`<span class=${s.result === "stopped" ? "c-ok b" : s.result === "slowed" ? "c-partial" : "t3"}>${t(`rings.${s.result}`)}</span>` : nothing}</div>` : nothing}</li>`)}</ol>`;
