import { nothing } from "lit";
import { t } from "../../i18n";
import { Page, type Head } from "../../shell/page";

export default class extends Page {
  head(): Head { return { title: t("page.health") }; }
  body() { return nothing; }
}
