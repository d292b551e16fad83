import { post } from "../data/client";
import { failure } from "./loader";
import { t } from "../i18n";
import { openDialog } from "../parts/dialog";

/** Ends the session at the server and goes to the page that it names. */
export async function signOut(): Promise<void> {
  try {
    const to = await post<{ next?: string } | undefined>("/portal/signout", {});
    location.assign(to?.next ?? "/portal/signin");
  } catch (e) { await openDialog({ title: t("shell.sign-out"), body: () => failure(e as Error, { what: t("shell.not-signed-out") }) }); }
}
