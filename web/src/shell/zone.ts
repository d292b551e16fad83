import { html } from "lit";
import { setPrefs } from "../data/prefs";
import { t } from "../i18n";
import { openDialog } from "../parts/dialog";

/** Another time zone, by its IANA name. */
export async function chooseZone(): Promise<void> {
  await openDialog<string>({
    title: t("zone.choose"),
    body: () => html`<label class="stack">${t("zone.name")}<input class="in" name="zone" list="rf-zones" autocomplete="off" placeholder="Europe/Vaduz"></label><datalist id="rf-zones">${Intl.supportedValuesOf("timeZone").map((z) => html`<option value=${z}></option>`)}</datalist>`,
    acts: [{ text: t("act.cancel") }, { text: t("act.apply"), primary: true, run: (d) => {
      const zone = d.dialog.querySelector("input")!.value.trim();
      try { new Intl.DateTimeFormat("en", { timeZone: zone || "?" }); } catch { throw new Error(t("zone.unknown", { zone })); }
      setPrefs({ zone });
      return zone;
    } }],
  });
}
