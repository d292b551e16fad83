import { listUsers, type User, userFacts } from "../../data/people";
import { session } from "../../data/session";
import { t } from "../../i18n";
import type { CopyItem, Head, Key } from "../../shell/page";
import { Apps } from "./apps";
import { Elevation } from "./elevation";
import { Frame, type Tab } from "./frame";
import "./page.css";
import { Roles } from "./roles";
import { Policies, SignIns } from "./signins";
import { Groups, Users } from "./users";

export default class extends Frame {
  bodyClass = "p-identity";
  users = this.load<{ users: User[]; onlyMe: boolean }>(async (signal) => {
    const all = await listUsers(signal);
    // Factors and sign-ins follow the list.
    void userFacts(all.users, () => { if (!signal.aborted && this.users.value) this.users.set({ ...this.users.value }); }, signal);
    return all;
  }, { what: () => t("identity.reading"), needs: () => ({ role: "User Administrator", on: session().tenant.name }), empty: () => false });
  tabs: Record<string, Tab> = { users: new Users(this), groups: new Groups(this), apps: new Apps(this), signins: new SignIns(this), policies: new Policies(this), roles: new Roles(this), elevation: new Elevation(this) };
  get tab(): Tab { return this.tabs[this.q("tab")] ?? this.tabs.users; }

  connectedCallback() { super.connectedCallback(); this.tab.open(); }
  queryChanged(changed: Set<string>) { if (changed.has("tab")) this.tab.open(); else this.tab.changed?.(changed); }
  head(): Head {
    return { title: t("page.identity"), time: this.tab.time, acts: this.tab.acts?.(), tabs: Object.entries(this.tabs).map(([name, x], i) => ({ text: x.text, tab: i ? name : undefined, count: x.count })) };
  }
  keys(): Key[] {
    const leave = { sel: null, f: null, q: null, sort: null };
    return [...(this.tab.keys?.() ?? []), ...Object.entries(this.tabs).map(([name, x], i) => ({ key: String(i + 1), text: x.text, run: () => this.setQ({ ...leave, tab: i ? name : null }, { push: true }) })),
      { key: "Escape", text: t("identity.key-back"), run: () => this.closePane() }, { key: "r", text: t("palette.reload"), run: () => this.tab.again() }];
  }
  copyAs(): CopyItem[] { return this.tab.copyAs(); }
  body() { return this.tab.body(); }
}
