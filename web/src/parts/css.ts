import { noChange } from "lit";
import { directive, Directive, PartType, type ElementPart, type PartInfo } from "lit/directive.js";

type Styles = Record<string, string | number | null | undefined>;
class Css extends Directive {
  #had: string[] = [];
  constructor(part: PartInfo) { super(part); if (part.type !== PartType.ELEMENT) throw new Error("css() stands on the element itself: <i ${css({width: \"20%\"})}>"); }
  render(_: Styles) { return noChange; }
  update(part: ElementPart, [styles]: [Styles]) {
    const style = (part.element as HTMLElement).style;
    for (const k of this.#had) if (!(k in styles)) style.removeProperty(k);
    for (const [k, v] of Object.entries(styles)) v === null || v === undefined ? style.removeProperty(k) : style.setProperty(k, String(v));
    this.#had = Object.keys(styles);
    return noChange;
  }
}
/** Sizes that come from data: `<i ${css({ width: "20%" })}>`. Set by script, since the content policy refuses style attributes (and with them lit's styleMap). */
export const css = directive(Css);
