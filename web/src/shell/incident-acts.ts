// What is done to incidents, to one or to several, from the list and from an incident's page: owner, status, severity, close, merge, note.
// Texts: i18n/triage.*.json. Each act goes through the tray with its undo.
import { html, nothing } from "lit";
import { ApiError } from "../data/client";
import { deleteResource, getResource } from "../data/arm";
import { graph, odata } from "../data/graph";
import { closings, deleteIncident, type Incident, type IncidentChange, incidentByNumber, isOpen, listIncidents, newIncident, numberOf, type Owner, ownerName, putComment, putIncident, rank, relateAll, severities, statuses } from "../data/incidents";
import { session } from "../data/session";
import { t } from "../i18n";
import { openDialog } from "../parts/dialog";
import { openMenu, openPanel } from "../parts/menu";
import "../parts/triage.css";
import { href } from "../router";
import { act, notice } from "./tray";

export type Changed = (list: Incident[]) => void;

/** "1042" or "3 incidents". */
const which = (list: Incident[]): string => (list.length === 1 ? String(numberOf(list[0])) : t("triage.several", { n: list.length }));
const link = (list: Incident[]): string => (list.length === 1 ? href("/incidents/{n}", { n: numberOf(list[0]) }) : href("/incidents"));

/** Changes those that `fit` gives a change for; the others are as wanted already. */
export async function change(list: Incident[], fit: (i: Incident) => IncidentChange | null, text: string, changed: Changed): Promise<void> {
  const todo = list.filter(fit), done: { before: Incident; after: Incident }[] = [], faults: { i: Incident; e: Error }[] = [];
  if (!todo.length) { notice(t("triage.nothing")); return; }
  await act({
    text, href: link(todo),
    run: async () => {
      for (const i of todo) { try { done.push({ before: i, after: await putIncident(i, fit(i)!) }); } catch (e) { faults.push({ i, e: e as Error }); } }
      changed(done.map((d) => d.after));
      if (!done.length) throw faults[0].e;
    },
    undo: async () => {
      const back: Incident[] = [];
      for (const d of done) {
        const now = await getResource<Incident>(d.after.id), p = d.before.properties, was: Record<string, unknown> = {};
        // Only what this act changed goes back; what others changed since stays. An empty text clears.
        for (const k of Object.keys(fit(d.before)!)) was[k] = (p as unknown as Record<string, unknown>)[k] ?? (k === "owner" ? {} : k === "labels" ? [] : "");
        if (was.status && was.status !== "Closed") { was.classification = ""; was.classificationReason = ""; was.classificationComment = ""; }
        for (const k of ["classification", "classificationReason", "classificationComment"]) if (was[k] === "") was[k] = undefined;
        back.push(await putIncident(now, was as IncidentChange));
      }
      changed(back);
    },
  }).catch((e) => { if (!(e instanceof ApiError)) console.error(e); });
  for (const f of done.length ? faults : []) notice(t("triage.one-failed", { n: numberOf(f.i), why: f.e instanceof ApiError ? `${f.e.message} ${f.e.code}` : f.e.message }), href("/incidents/{n}", { n: numberOf(f.i) }));
}

export const setSeverity = (list: Incident[], severity: string, changed: Changed): Promise<void> => change(list, (i) => (i.properties.severity === severity ? null : { severity }), t("triage.did-severity", { which: which(list), to: t(`severity.${severity === "Informational" ? "info" : severity.toLowerCase()}`) }), changed);
export const setStatus = (list: Incident[], status: string, changed: Changed): Promise<void> => change(list, (i) => (i.properties.status === status ? null : { status, ...(status === "Closed" ? {} : { classification: undefined, classificationReason: undefined, classificationComment: undefined }) }), t("triage.did-status", { which: which(list), to: t(`triage.status.${status}`) }), changed);
export const setOwner = (list: Incident[], owner: Owner | null, changed: Changed): Promise<void> =>
  change(list, (i) => ((i.properties.owner?.objectId ?? null) === (owner?.objectId ?? null) ? null : { owner: owner ?? {} }), t(owner ? "triage.did-owner" : "triage.did-no-owner", { which: which(list), to: owner?.assignedTo ?? "" }), changed);

/** How many a choice would change, beside it in the menu: the odd ones out are seen before. */
const odd = (list: Incident[], same: (i: Incident) => boolean): string | undefined => { const n = list.filter((i) => !same(i)).length; return list.length > 1 && n && n < list.length ? t("triage.changes", { n, of: list.length }) : undefined; };

export function severityMenu(anchor: HTMLElement, list: Incident[], changed: Changed): void {
  openMenu(anchor, severities.map((s) => ({ text: t(`severity.${s === "Informational" ? "info" : s.toLowerCase()}`), checked: list.every((i) => i.properties.severity === s), note: odd(list, (i) => i.properties.severity === s), run: () => void setSeverity(list, s, changed) })), { label: t("triage.severity") });
}
export function statusMenu(anchor: HTMLElement, list: Incident[], changed: Changed): void {
  openMenu(anchor, statuses.map((s) => ({ text: s === "Closed" ? t("triage.close-ask") : t(`triage.status.${s}`), checked: list.every((i) => i.properties.status === s), note: odd(list, (i) => i.properties.status === s), line: s === "Closed", run: () => (s === "Closed" ? void closeDialog(list, changed) : void setStatus(list, s, changed)) })), { label: t("triage.status-of") });
}

interface Person { id: string; displayName?: string; userPrincipalName?: string; mail?: string | null }
const asOwner = (p: Person): Owner => ({ objectId: p.id, assignedTo: p.displayName ?? p.userPrincipalName, userPrincipalName: p.userPrincipalName, email: p.mail ?? undefined, ownerType: "User" });
export const me = (): Owner => { const u = session().user; return { objectId: u.id, assignedTo: u.name, userPrincipalName: u.upn, ownerType: "User" }; };

/** Me, nobody, then everybody whose name begins so. */
export function ownerMenu(anchor: HTMLElement, list: Incident[], changed: Changed): void {
  let people: Person[] = [], fault = "", text = "", end: AbortController | undefined;
  const mine = session().user.id, pick = (o: Owner | null, close: () => void) => { close(); void setOwner(list, o, changed); };
  const p = openPanel(anchor, (close) => {
    const line = (o: Owner | null, name: string, note: string) => html`<button role="option" aria-selected=${String(list.every((i) => (i.properties.owner?.objectId ?? null) === (o?.objectId ?? null)))} class="opt" @click=${() => pick(o, close)}><rf-icon n=${o ? "user" : "block"}></rf-icon><span class="who">${name}</span><span class="t3 sm ell">${odd(list, (i) => (i.properties.owner?.objectId ?? null) === (o?.objectId ?? null)) ?? note}</span></button>`;
    return html`<label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("triage.find-person")}</span><input autocomplete="off" placeholder=${t("triage.find-person")} @input=${(e: Event) => { text = (e.target as HTMLInputElement).value; void read(); }}></label>
      <div role="listbox" aria-label=${t("triage.owner")}>${text ? nothing : html`${line(me(), t("triage.me"), session().user.upn)}${list.some((i) => ownerName(i)) ? line(null, t("triage.nobody"), "") : nothing}`}
      ${people.filter((x) => text || x.id !== mine).map((x) => line(asOwner(x), x.displayName ?? x.userPrincipalName ?? x.id, x.userPrincipalName ?? ""))}
      ${fault ? html`<p class="t3 sm pad">${fault}</p>` : text && !people.length ? html`<p class="t3 sm pad">${t("triage.no-person", { text })}</p>` : nothing}</div>`;
  }, { role: "dialog", label: t("triage.owner-of", { which: which(list) }), className: "owners" });
  if (!p) return;
  const read = async () => {
    end?.abort();
    const now = (end = new AbortController()), q = text.trim();
    try {
      const got = await graph<{ value: Person[] }>("users", { signal: now.signal, query: { $top: 20, $select: "id,displayName,userPrincipalName,mail", ...(q ? { $filter: `startswith(displayName,${odata(q)}) or startswith(userPrincipalName,${odata(q)})` } : {}) } });
      people = got.value; fault = "";
    } catch (e) {
      if (now.signal.aborted) return;
      people = [];
      fault = e instanceof ApiError && e.forbidden ? t("triage.no-people-right") : t("triage.people-failed", { why: (e as Error).message });
    }
    p.draw();
  };
  p.box.querySelector("input")?.focus();
  p.box.addEventListener("keydown", (e) => {
    const all = [...p.box.querySelectorAll<HTMLElement>("input, .opt")], at = all.indexOf(document.activeElement as HTMLElement);
    if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); e.stopPropagation(); all[(at + (e.key === "ArrowDown" ? 1 : all.length - 1)) % all.length]?.focus(); }
    else if (e.key === "Enter" && at === 0) { e.preventDefault(); p.box.querySelector<HTMLElement>(".opt")?.click(); }
  });
  void read();
}

const closingText = (c: { classification: string; reason?: string }): string => t(`triage.closing.${c.reason ?? c.classification}`);
export const closedAs = (i: Incident): string => (i.properties.classification ? closingText({ classification: i.properties.classification, reason: i.properties.classificationReason }) : "");

export async function closeDialog(list: Incident[], changed: Changed): Promise<void> {
  let pick = -1, comment = "", fault = false;
  const open = list.filter(isOpen), closed = list.length - open.length, owners = open.filter((i) => ownerName(i) && i.properties.owner?.objectId !== session().user.id).length;
  const ok = await openDialog<true>({
    title: t("triage.close-title", { which: which(list) }),
    body: (d) => html`<fieldset class="radios"><legend>${t("triage.why")}</legend>${closings.map((c, k) => html`<label><input type="radio" name="why" .checked=${pick === k} ?autofocus=${k === 0} @change=${() => { pick = k; fault = false; d.draw(); }}>${closingText(c)}</label>`)}</fieldset>
      ${fault ? html`<p class="c-high sm" role="alert">${t("triage.choose-one")}</p>` : nothing}
      <label class="stack">${t("triage.close-comment")}<textarea class="in" rows="3" maxlength="5000" .value=${comment} @input=${(e: Event) => { comment = (e.target as HTMLTextAreaElement).value; }}></textarea></label>
      <section><h3 class="cap">${t("impact.changes")}</h3><ul class="plain"><li>${t("triage.close-effect", { n: open.length })}</li>${closed ? html`<li>${t("triage.close-again", { n: closed })}</li>` : nothing}${owners ? html`<li>${t("triage.close-owners", { n: owners })}</li>` : nothing}</ul></section>
      <section><h3 class="cap">${t("impact.undo")}</h3><p>${t("triage.undo")}</p></section>`,
    acts: [{ text: t("act.cancel") }, { text: t("triage.close-now"), primary: true, run: async (d) => { if (pick < 0) { fault = true; d.draw(); return undefined; } return true as const; } }],
  });
  if (!ok) return;
  const c = closings[pick];
  await change(list, () => ({ status: "Closed", classification: c.classification, classificationReason: c.reason, classificationComment: comment.trim() || undefined }), t("triage.did-close", { which: which(list), why: closingText(c) }), changed);
}

/** Alerts and bookmarks of the others join one incident, and the others are closed. */
export async function mergeDialog(list: Incident[], changed: Changed): Promise<void> {
  const all = list.slice().sort((a, b) => rank(b.properties.severity) - rank(a.properties.severity) || numberOf(a) - numberOf(b)), alone = all.length === 1;
  let into = alone ? "" : String(numberOf(all[0])), open: Incident[] = [];
  if (alone) open = await listIncidents("properties/status ne 'Closed'").catch(() => []);
  const others = () => all.filter((i) => String(numberOf(i)) !== into), alerts = () => others().reduce((a, i) => a + i.properties.additionalData.alertsCount, 0);
  const target = await openDialog<Incident>({
    title: t("triage.merge-title", { which: which(list) }),
    body: (d) => html`${alone ? html`<label class="stack">${t("triage.merge-number")}<input class="in" inputmode="numeric" autocomplete="off" list="merge-into" .value=${into} @input=${(e: Event) => { into = (e.target as HTMLInputElement).value.trim(); d.draw(); }}></label><datalist id="merge-into">${open.filter((i) => i.name !== list[0].name).map((i) => html`<option value=${numberOf(i)}>${i.properties.title}</option>`)}</datalist>`
      : html`<fieldset class="radios"><legend>${t("triage.merge-into")}</legend>${all.map((i) => html`<label><input type="radio" name="into" .checked=${String(numberOf(i)) === into} @change=${() => { into = String(numberOf(i)); d.draw(); }}><span><rf-sev s=${i.properties.severity} bare></rf-sev> ${numberOf(i)} ${i.properties.title}</span></label>`)}</fieldset>`}
      <section><h3 class="cap">${t("impact.changes")}</h3><ul class="plain">${into ? html`<li>${t("triage.merge-effect", { alerts: alerts(), into })}</li><li>${t("triage.merge-close", { n: others().length, into })}</li>` : html`<li>${t("triage.merge-first")}</li>`}</ul></section>
      <section><h3 class="cap">${t("impact.undo")}</h3><p>${t("triage.undo")}</p></section>`,
    acts: [{ text: t("act.cancel") }, { text: t("triage.merge-now"), primary: true, disabled: () => !/^\d+$/.test(into) || !others().length, run: async () => all.find((i) => String(numberOf(i)) === into) ?? incidentByNumber(Number(into)) }],
  });
  if (!target) return;
  const rest = others(), closed: Incident[] = [];
  let back = async () => { /* set when it is done */ };
  await act({
    text: t("triage.did-merge", { which: which(rest), into: numberOf(target) }), href: href("/incidents/{n}", { n: numberOf(target) }),
    run: async () => {
      back = await relateAll(target, rest);
      for (const i of rest) if (isOpen(i)) closed.push(await putIncident(i, { status: "Closed", classification: "Undetermined", classificationReason: undefined, classificationComment: t("triage.merged-into", { n: numberOf(target) }) }));
      changed([await getResource<Incident>(target.id), ...closed]);
    },
    undo: async () => {
      await back();
      const again: Incident[] = [];
      for (const i of closed) again.push(await putIncident(await getResource<Incident>(i.id), { status: rest.find((r) => r.name === i.name)!.properties.status, classification: undefined, classificationReason: undefined, classificationComment: undefined }));
      changed([await getResource<Incident>(target.id), ...again]);
    },
  }).catch((e) => { if (!(e instanceof ApiError)) console.error(e); });
}

/** A note on one incident or on several; the answer is whether it was written. */
export async function noteDialog(list: Incident[], changed: Changed): Promise<boolean> {
  let text = "";
  return (await openDialog<true>({
    title: t("triage.note-title", { which: which(list) }),
    body: (d) => html`<label class="stack">${t("triage.note")}<textarea class="in" rows="5" maxlength="30000" autofocus .value=${text} @input=${(e: Event) => { text = (e.target as HTMLTextAreaElement).value; d.draw(); }}></textarea></label>`,
    acts: [{ text: t("act.cancel") }, { text: t("triage.note-add"), primary: true, disabled: () => !text.trim(), run: async () => { await addNote(list, text.trim(), changed); return true as const; } }],
  })) === true;
}
export async function addNote(list: Incident[], text: string, changed: Changed): Promise<void> {
  const made: string[] = [];
  const again = async () => changed(await Promise.all(list.map((i) => getResource<Incident>(i.id))));
  await act({ text: t("triage.did-note", { which: which(list) }), href: link(list), run: async () => { for (const i of list) made.push((await putComment(i, crypto.randomUUID(), text)).id); await again(); }, undo: async () => { for (const id of made) await deleteResource(id); await again(); } });
}

export async function newDialog(changed: Changed): Promise<Incident | undefined> {
  const p = { title: "", severity: "Medium", description: "", mine: true };
  return openDialog<Incident>({
    title: t("triage.new"),
    body: (d) => html`<label class="stack">${t("triage.new-title")}<input class="in" maxlength="500" autofocus autocomplete="off" .value=${p.title} @input=${(e: Event) => { p.title = (e.target as HTMLInputElement).value; d.draw(); }}></label>
      <label class="stack">${t("triage.severity")}<select class="in" @change=${(e: Event) => { p.severity = (e.target as HTMLSelectElement).value; }}>${severities.map((s) => html`<option value=${s} ?selected=${s === p.severity}>${t(`severity.${s === "Informational" ? "info" : s.toLowerCase()}`)}</option>`)}</select></label>
      <label class="stack">${t("triage.new-text")}<textarea class="in" rows="4" maxlength="5000" .value=${p.description} @input=${(e: Event) => { p.description = (e.target as HTMLTextAreaElement).value; }}></textarea></label>
      <label class="row"><input type="checkbox" .checked=${p.mine} @change=${(e: Event) => { p.mine = (e.target as HTMLInputElement).checked; }}>${t("triage.new-mine")}</label>`,
    acts: [{ text: t("act.cancel") }, {
      text: t("triage.new-make"), primary: true, disabled: () => !p.title.trim(), run: async () => {
        let made: Incident | undefined;
        await act({ text: t("triage.did-new", { title: p.title.trim() }), run: async () => { made = await newIncident(crypto.randomUUID(), { title: p.title.trim(), severity: p.severity, status: p.mine ? "Active" : "New", description: p.description.trim() || undefined, owner: p.mine ? me() : undefined }); changed([made]); }, undo: async () => { await deleteIncident(made!); changed([]); } });
        return made;
      },
    }],
  });
}
