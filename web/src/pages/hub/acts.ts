// What changes something at a hub: each with its effect and its undo. Keys and codes are shown once, never kept and never in the address.
import { html, nothing } from "lit";
import { deleteResource, inGroup, list, parseId, postAction, putResource, type Resource } from "../../data/arm";
import { ApiError } from "../../data/client";
import { sendEvent } from "../../data/hubs";
import { session } from "../../data/session";
import { when } from "../../data/time";
import { t } from "../../i18n";
import { copyText } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import { confirmImpact } from "../../parts/impact";
import { href } from "../../router";
import { act } from "../../shell/tray";

const value = (e: Event): string => (e.target as HTMLInputElement).value;
const taken = (name: string): ApiError => new ApiError(409, "NameTaken", t("hub.there", { name }));
const shownFor = 30_000;

/** Secret texts in a dialog that closes by itself; with it they are gone from the page. */
function showOnce(title: string, note: string, lines: [string, string][], after?: unknown, ms = shownFor): Promise<void> {
  let end: ReturnType<typeof setTimeout>, until = Date.now() + ms, open = new Set<number>();
  return openDialog<void>({
    title,
    body: (d) => {
      end ??= setTimeout(() => d.close(), ms);
      return html`<p class="t2">${note}</p><div class="keys-shown">${lines.map(([name, text], i) => html`<div><span class="cap">${name}</span><div class="line"><code>${open.has(i) ? text : "•".repeat(24)}</code><button type="button" class="btn s" @click=${() => { if (!open.delete(i)) open.add(i); d.draw(); }}>${open.has(i) ? t("hub.hide") : t("hub.show")}</button><button type="button" class="btn s" @click=${() => void copyText(text, name)}>${t("act.copy")}</button></div></div>`)}</div>${after ?? nothing}<p class="cap">${t("hub.gone-at", { time: when(until) })}</p>`;
    },
  }).finally(() => { clearTimeout(end); for (const l of lines) l[1] = ""; open = new Set(); until = 0; }) as Promise<void>;
}

export async function sendDialog(ns: string, hub: string, partitions: string[]): Promise<{ partition: string; sequenceNumber: number } | undefined> {
  let body = JSON.stringify({ test: true, from: session().user.upn, time: new Date().toISOString() }, null, 1), key = "", partition = "";
  let made: { partition: string; sequenceNumber: number } | undefined;
  await openDialog<true>({
    title: t("hub.send-to", { hub }),
    body: () => html`<label class="stack">${t("hub.c-body")}<textarea class="in mono" rows="6" spellcheck="false" .value=${body} @input=${(e: Event) => { body = value(e); }}></textarea></label>
      <label class="stack">${t("hub.key-maybe")}<input class="in" maxlength="128" autocomplete="off" .value=${key} @input=${(e: Event) => { key = value(e).trim(); }}></label>
      <label class="stack">${t("hub.c-partition")}<select class="in" @change=${(e: Event) => { partition = value(e); }}><option value="">${t("hub.any-partition")}</option>${partitions.map((p) => html`<option value=${p} ?selected=${p === partition}>${p}</option>`)}</select></label>
      <p class="cap">${t("hub.send-effect")}</p>`,
    acts: [{ text: t("act.cancel") }, { text: t("hub.send-now"), primary: true, run: async () => {
      let sent: unknown = body, contentType: string | undefined;
      try { sent = JSON.parse(body); contentType = "application/json"; } catch { /* a text is sent as it is */ }
      await act({ text: t("hub.sent", { hub }), href: href("/hubs/{ns}/{hub}", { ns, hub }), run: async () => { made = await sendEvent(ns, hub, { body: sent, contentType, partitionKey: key || undefined, partition: partition === "" ? undefined : Number(partition) }); } });
      return true as const;
    } }],
  });
  return made;
}

// ---- keys ----
interface Keys { primaryKey: string; secondaryKey: string; primaryConnectionString: string; secondaryConnectionString: string; keyName: string }
const keyLines = (k: Keys): [string, string][] => [[t("hub.primary-string"), k.primaryConnectionString], [t("hub.secondary-string"), k.secondaryConnectionString], [t("hub.primary"), k.primaryKey], [t("hub.secondary"), k.secondaryKey]];
export async function showKeys(rule: Resource): Promise<void> {
  const ok = await confirmImpact({ title: t("hub.keys-of", { rule: rule.name }), act: t("hub.show-keys"), impact: { changes: [t("hub.keys-recorded")] }, undo: t("hub.keys-undo"), run: async () => { keys = await postAction<Keys>(`${rule.id}/listKeys`); } });
  if (ok && keys) await showOnce(t("hub.keys-of", { rule: rule.name }), t("hub.keys-note"), keyLines(keys));
  keys = undefined;
}
let keys: Keys | undefined;

export async function rotateDialog(rule: Resource, which: "PrimaryKey" | "SecondaryKey", hubId: string, hub: string): Promise<boolean> {
  const own = /\/eventhubs\//i.test(rule.id), space = parseId(own ? parseId(rule.id).parent! : rule.id).parent!;
  let fresh: Keys | undefined;
  const ok = await confirmImpact({
    title: t(`hub.rotate-${which}`, { rule: rule.name }), act: t("hub.rotate-now"), danger: true, word: rule.name,
    impact: async () => {
      const hit = own ? [hub] : (await list(`${space.split(/\/eventhubs\//i)[0]}/eventhubs`)).map((h) => h.name), rights = (rule.properties.rights as string[]).join(", ");
      return { changes: [t(`hub.effect-${which}`), t("hub.effect-other"), t("hub.effect-devices")], hits: hit.slice(0, 20).map((h) => ({ text: t("hub.hit", { hub: h, rights }), href: h.toLowerCase() === hub.toLowerCase() ? undefined : href("/hubs/{ns}/{hub}", { ns: parseId(space).name, hub: h }) })), dryRun: new Date() };
    },
    undo: t("hub.rotate-undo"),
    run: () => act({ text: t(`hub.rotated-${which}`, { rule: rule.name }), href: href("/hubs/{ns}/{hub}", { ns: parseId(parseId(hubId).parent!).name, hub }, { tab: "access" }), run: async () => { fresh = await postAction<Keys>(`${rule.id}/regenerateKeys`, { keyType: which }); } }),
  });
  if (ok && fresh) await showOnce(t("hub.keys-of", { rule: rule.name }), t("hub.new-key-note"), which === "PrimaryKey" ? [keyLines(fresh)[0], keyLines(fresh)[2]] : [keyLines(fresh)[1], keyLines(fresh)[3]], undefined, 120_000);
  fresh = undefined;
  return ok;
}

export async function ruleDialog(hubId: string, hub: string): Promise<boolean> {
  let name = "";
  const rights = new Set(["Listen"]), id = () => `${hubId}/authorizationRules/${encodeURIComponent(name)}`;
  return (await openDialog<boolean>({
    title: t("hub.new-rule"),
    body: (d) => html`<label class="stack">${t("hub.rule")}<input class="in" autofocus maxlength="60" autocomplete="off" spellcheck="false" @input=${(e: Event) => { name = value(e).trim(); d.draw(); }}></label>
      <fieldset class="stack"><legend>${t("hub.rights")}</legend>${["Send", "Listen", "Manage"].map((r) => html`<label class="row"><input type="checkbox" .checked=${rights.has(r)} @change=${(e: Event) => { if ((e.target as HTMLInputElement).checked) rights.add(r); else rights.delete(r); d.draw(); }}>${r}</label>`)}</fieldset><p class="cap">${t("hub.rule-note", { hub })}</p>`,
    acts: [{ text: t("act.cancel") }, { text: t("hub.make"), primary: true, disabled: () => !name || !rights.size, run: async () => {
      const all = rights.has("Manage") ? ["Send", "Listen", "Manage"] : [...rights], at = id();
      if ((await list(`${hubId}/authorizationRules`)).some((r) => r.name.toLowerCase() === name.toLowerCase())) throw taken(name);
      await act({ text: t("hub.rule-made", { name }), run: () => putResource(at, { properties: { rights: all } }), undo: () => deleteResource(at) });
      return true;
    } }],
  })) === true;
}

// ---- devices ----
/** Registers a device for the hub and shows its code, which is good once. */
export async function enrolDialog(space: string, hub: string, known?: Resource): Promise<boolean> {
  let name = known?.name ?? "", minutes = 15, code: { enrolmentCode: string; expiresAt: string } | undefined;
  const ok = await openDialog<true>({
    title: known ? t("hub.new-code-for", { name }) : t("hub.enrol"),
    body: (d) => html`${known ? html`<p>${t("hub.code-effect")}</p>` : html`<label class="stack">${t("hub.device")}<input class="in" autofocus maxlength="64" autocomplete="off" spellcheck="false" @input=${(e: Event) => { name = value(e).trim(); d.draw(); }}></label>`}
      <label class="stack">${t("hub.minutes")}<input class="in" type="number" min="1" max="1440" .value=${String(minutes)} @input=${(e: Event) => { minutes = Number(value(e)); d.draw(); }}></label><p class="cap">${t("hub.enrol-note", { hub })}</p>`,
    acts: [{ text: t("act.cancel") }, { text: t("hub.make-code"), primary: true, disabled: () => !name || !(minutes >= 1), run: async () => {
      const id = `${space}/devices/${encodeURIComponent(name)}`;
      const was = known ?? (await list(`${space}/devices`)).find((d) => d.name.toLowerCase() === name.toLowerCase());
      const hubs: string[] = was?.properties.eventHubs ?? [], has = hubs.some((h) => h.toLowerCase() === hub.toLowerCase());
      await act({ text: t("hub.enrolled-now", { name }), run: async () => {
        // A revoked device is enabled again by its new code; what it had before stays revoked.
        if (!was || !has || was.properties.status === "Revoked") await putResource(id, { properties: { ...(was ? { certificateDays: was.properties.certificateDays, description: was.properties.description } : {}), eventHubs: has ? hubs : [...hubs, hub], status: "Enabled" } });
        code = await postAction(`${id}/createEnrolmentCode`, { minutes });
      } });
      return true as const;
    } }],
  });
  if (ok && code) {
    const line = `ringfort device enrol ${name} --server ${session().origin} --ca ca.pem --code-file -`;
    await showOnce(t("hub.code-for", { name }), t("hub.code-note", { time: when(code.expiresAt) }), [[t("hub.code"), code.enrolmentCode]], html`<div class="keys-shown"><div><span class="cap">${t("hub.on-device")}</span><div class="line"><code>${line}</code><button type="button" class="btn s" @click=${() => void copyText(line, t("hub.on-device"))}>${t("act.copy")}</button></div></div></div>`, 120_000);
  }
  code = undefined;
  return ok === true;
}
export const revokeDialog = (d: Resource): Promise<boolean> => confirmImpact({
  title: t("hub.revoke-title", { name: d.name }), act: t("hub.revoke"), danger: true, word: d.name,
  impact: { changes: [t("hub.revoke-effect"), t("hub.revoke-links")], hits: (d.properties.eventHubs as string[]).map((h) => ({ text: t("hub.revoke-hit", { hub: h, name: d.name }) })) },
  undo: t("hub.revoke-undo"), run: () => act({ text: t("hub.revoked", { name: d.name }), run: () => postAction(`${d.id}/revoke`, {}) }),
});

// ---- groups ----
export async function groupDialog(hubId: string, there: string[]): Promise<boolean> {
  let name = "";
  return (await openDialog<boolean>({
    title: t("hub.new-group"), body: (d) => html`<label class="stack">${t("hub.group")}<input class="in" autofocus maxlength="256" autocomplete="off" spellcheck="false" @input=${(e: Event) => { name = value(e).trim(); d.draw(); }}></label><p class="cap">${t("hub.group-note")}</p>`,
    acts: [{ text: t("act.cancel") }, { text: t("hub.make"), primary: true, disabled: () => !name, run: async () => {
      if (there.some((g) => g.toLowerCase() === name.toLowerCase())) throw taken(name);
      const id = `${hubId}/consumergroups/${encodeURIComponent(name)}`;
      await act({ text: t("hub.group-made", { name }), run: () => putResource(id, { properties: {} }), undo: () => deleteResource(id) });
      return true;
    } }],
  })) === true;
}
export const deleteGroup = (hubId: string, name: string): Promise<boolean> => {
  const id = `${hubId}/consumergroups/${encodeURIComponent(name)}`;
  return confirmImpact({ title: t("hub.group-delete", { name }), act: t("act.delete"), danger: true, impact: { changes: [t("hub.group-effect")] }, undo: t("hub.group-undo"), run: () => act({ text: t("hub.group-deleted", { name }), run: () => deleteResource(id), undo: () => putResource(id, { properties: {} }) }) });
};

// ---- capture ----
const put = (r: Resource, captureDescription: unknown): Promise<unknown> => putResource(r.id, { properties: { partitionCount: r.properties.partitionCount, messageRetentionInDays: r.properties.messageRetentionInDays, ...(r.properties.retentionDescription ? { retentionDescription: r.properties.retentionDescription } : {}), status: r.properties.status, captureDescription } });
export async function stopCapture(r: Resource): Promise<boolean> {
  const c = r.properties.captureDescription, next = { ...c, enabled: false };
  return confirmImpact({ title: t("hub.capture-stop"), act: t("hub.capture-stop"), impact: { changes: [t("hub.capture-stop-effect")], before: c, after: next }, undo: t("hub.capture-undo"), run: () => act({ text: t("hub.capture-stopped", { hub: r.name }), run: () => put(r, next), undo: () => put(r, c) }) });
}
export async function captureDialog(r: Resource): Promise<boolean> {
  const was = r.properties.captureDescription, d = was?.destination?.properties;
  let account = d ? parseId(String(d.storageAccountResourceId)).name : "", container = String(d?.blobContainer ?? r.name), seconds = Number(was?.intervalInSeconds ?? 300), encoding = String(was?.encoding ?? "Avro");
  return (await openDialog<boolean>({
    title: t("hub.capture-on"),
    body: (x) => html`<label class="stack">${t("hub.account")}<input class="in" autofocus autocomplete="off" spellcheck="false" .value=${account} @input=${(e: Event) => { account = value(e).trim(); x.draw(); }}></label>
      <label class="stack">${t("hub.container")}<input class="in" autocomplete="off" spellcheck="false" .value=${container} @input=${(e: Event) => { container = value(e).trim(); x.draw(); }}></label>
      <label class="stack">${t("hub.encoding")}<select class="in" @change=${(e: Event) => { encoding = value(e); }}>${["Avro", "AvroDeflate", "JsonLines"].map((v) => html`<option ?selected=${v === encoding}>${v}</option>`)}</select></label>
      <label class="stack">${t("hub.seconds")}<input class="in" type="number" min="60" max="900" .value=${String(seconds)} @input=${(e: Event) => { seconds = Number(value(e)); x.draw(); }}></label><p class="cap">${t("hub.capture-note")}</p>`,
    acts: [{ text: t("act.cancel") }, { text: t("hub.capture-on"), primary: true, disabled: () => !account || !container || !(seconds >= 60 && seconds <= 900), run: async () => {
      const next = { ...was, enabled: true, encoding, intervalInSeconds: seconds, skipEmptyArchives: was?.skipEmptyArchives ?? true, destination: { name: "EventHubArchive.AzureBlockBlob", properties: { ...d, storageAccountResourceId: d && parseId(String(d.storageAccountResourceId)).name === account ? d.storageAccountResourceId : inGroup(`Microsoft.Storage/storageAccounts/${account}`), blobContainer: container, archiveNameFormat: d?.archiveNameFormat ?? "{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}" } } };
      await act({ text: t("hub.capture-started", { hub: r.name }), run: () => put(r, next), undo: () => put(r, was ?? { ...next, enabled: false }) });
      return true;
    } }],
  })) === true;
}
