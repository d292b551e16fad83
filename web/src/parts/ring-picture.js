/* <ring-picture>: the seven rings of a defence, drawn from data. Works under a strict
 * content policy (no innerHTML, no inline style attributes, no eval). Colours come from tokens.css through custom properties.
 *
 *   import '../../parts/ring-picture';
 *   const el = document.querySelector('ring-picture');
 *   el.data = { ... };                          // draws; assign again to update, focus is kept by id
 *   el.addEventListener('ring-open',  e => e.detail);   // {kind:'segment'|'path'|'centre', ring?, segment?, path?}: Enter, Space, click
 *   el.addEventListener('ring-focus', e => e.detail);   // same detail, on focus and hover; detail null when left
 *   el.select(pathId | null)                    // emphasise one path
 *
 * DATA FORMAT
 *   title    string                             accessible name, for example "Rings of Dispatch"
 *   centre   { label, value?, state?, href? }   the data in the middle; value is the big text (score, class)
 *   sectors  [ { id, label, href? } ]           optional. With sectors, every ring has one segment per sector (a workload), aligned on the same ray
 *   rings    [ ring ]                           outermost first; seven in Ringfort, any number from 2 to 9 works
 *     ring   { id, label, hue?, segments: [segment] }        hue: CSS colour, default var(--rf-ring-N)
 *     segment{ id, label, state, detail?, weight?, sector?, owner?, href? }
 *            state   'ok' | 'partial' | 'fail' | 'unknown' | 'none'      none = not applicable: outline only
 *            weight  relative length of the arc when there are no sectors (default 1)
 *   paths    [ { id, label, kind, from?, steps: [ { ring, segment, result, after? } ] } ]
 *            kind    'observed' (solid: an incident or drill) | 'possible' (dashed: computed from the inventory)
 *            result  'passed' | 'slowed' | 'stopped'; the line ends at the first 'stopped', else it reaches the centre
 *            after   text such as "4 min": time since first contact, read aloud and listed
 *
 * ATTRIBUTES  labels="outside|none" (sector names)   legend   view="picture|list"   compact (no ring names; under 240 px)
 *
 * KEYS  one tab stop. Left/Right: along the ring. Down: inwards. Up: outwards, beyond the outer ring to the attack paths.
 *       Home/End: first/last of the ring. Enter or Space: open. Escape: clear emphasis.
 */
import { t } from '../i18n';

const NS = 'http://www.w3.org/2000/svg', TAU = Math.PI * 2;
const WORD = { get ok() { return t('rings.holds'); }, get partial() { return t('rings.partial'); }, get fail() { return t('rings.fails'); }, get unknown() { return t('rings.unknown'); }, get none() { return t('rings.none'); } };
const RESULT = { get passed() { return t('rings.passed'); }, get slowed() { return t('rings.slowed'); }, get stopped() { return t('rings.stopped'); } };
let serial = 0;

const CSS = `
:host{display:block;position:relative;min-width:0;min-height:0;overflow:hidden;color:var(--rf-text);font:400 13px/1.4 var(--rf-font,system-ui)}
:host([view=list]) .pic{display:none} :host(:not([view=list])) .list{display:none}
svg{display:block;overflow:visible} .pic{height:100%;display:flex;flex-direction:column;align-items:center;justify-content:center}
text{font:500 11px var(--rf-font,system-ui);fill:var(--rf-text-2)} .sector{font-size:12px;font-weight:500} .sector.bad{fill:var(--rf-text);font-weight:600}
.name{text-anchor:middle;dominant-baseline:central;font-size:11px} .hue{fill:none;stroke-width:2;opacity:.8}
.seg{cursor:pointer;outline:0} .seg path{stroke-width:1;stroke-linejoin:round;transition:opacity var(--rf-mid,160ms)}
.ok path{stroke:none} .partial path{stroke:var(--rf-partial)} .fail path{stroke:var(--rf-high)} .unknown path{stroke:var(--rf-unknown)} .none path{fill:none;stroke:var(--rf-control);stroke-dasharray:2 3}
.p-ok{fill:var(--rf-ok-fill);fill-opacity:var(--rf-ring-tint,.36)} .p-partial{fill:var(--rf-partial-fill);fill-opacity:.3} .p-partial-l{stroke:var(--rf-partial);stroke-width:2.4} .p-fail{fill:var(--rf-high-fill);fill-opacity:.86} .p-fail-l{stroke:var(--rf-surface);stroke-width:1;fill:none;stroke-opacity:.85} .p-unknown{fill:var(--rf-unknown-fill);fill-opacity:.35} .p-unknown-l{fill:var(--rf-unknown)}
.seg:hover path{stroke:var(--rf-text);stroke-opacity:1;stroke-width:1.5} .seg:focus-visible path{stroke:var(--rf-focus);stroke-opacity:1;stroke-width:3}
.core{fill:var(--rf-surface-2);stroke:var(--rf-line-strong)} .core.bad{stroke:var(--rf-high);stroke-width:2.5} .centre{cursor:pointer;outline:0} .centre:focus-visible .core{stroke:var(--rf-focus);stroke-width:3}
.cv{font-size:20px;font-weight:600;fill:var(--rf-text);text-anchor:middle;letter-spacing:-.02em} .cl{font-size:11px;text-anchor:middle}
.cut{stroke:var(--rf-surface);stroke-width:10;fill:none} .way{fill:none;stroke:var(--rf-high);stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round} .casing{fill:none;stroke:var(--rf-surface);stroke-width:6;stroke-linejoin:round} .possible .way{stroke-dasharray:5 4;stroke-width:2}
.slow{stroke:var(--rf-high);stroke-width:1.5;fill:var(--rf-surface)} .stop{stroke:var(--rf-text);stroke-width:5;stroke-linecap:round;fill:none} .tip-end{fill:var(--rf-high)}
.path{outline:0;cursor:pointer;transition:opacity var(--rf-mid,160ms)} .path .m{fill:var(--rf-surface);stroke:var(--rf-high);stroke-width:2} .path text{fill:var(--rf-high);font-weight:700;text-anchor:middle;dominant-baseline:central} .path:focus-visible .m{stroke:var(--rf-focus);stroke-width:3.5} .path:hover .m{fill:var(--rf-high-soft)}
svg[data-sel] .path:not(.sel){opacity:.18} svg[data-sel] .seg:not(.hit) path{opacity:.38}
.tip{position:absolute;z-index:3;max-width:260px;padding:7px 10px;border-radius:6px;background:var(--rf-raised);box-shadow:var(--rf-e3);font-size:12px;line-height:16px;pointer-events:none;opacity:0;transition:opacity var(--rf-fast,90ms)} .tip.on{opacity:1} .tip b{display:block;font-weight:600} .tip span{color:var(--rf-text-2)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;justify-content:center;padding-top:6px;font-size:11px;line-height:16px;color:var(--rf-text-2)} .legend span{display:inline-flex;align-items:center;gap:6px} .legend svg{width:18px;height:12px;flex:none}
.list{margin:0;padding-left:1.4em} .list ol{padding-left:1.4em;margin:2px 0 8px} .list a{color:var(--rf-accent)} .sw path,.sw rect{stroke-width:1}
@media (forced-colors:active){.seg path{stroke:CanvasText!important;forced-color-adjust:none} .way{stroke:CanvasText}}`;

const n = v => Math.round(v * 100) / 100;
function el(tag, attrs, ...kids) {
  const svg = /^(svg|g|a|path|circle|line|rect|text|defs|pattern|title)$/.test(tag) && !(tag === 'a' && attrs && attrs.html);
  const e = svg ? document.createElementNS(NS, tag) : document.createElement(tag);
  for (const k in attrs) if (attrs[k] != null && attrs[k] !== false && k !== 'html') e.setAttribute(k, attrs[k]);
  for (const k of kids.flat()) if (k != null) e.append(k);
  return e;
}

export function check(d) {
  const bad = m => { throw new TypeError('ring-picture: ' + m); };
  if (!d || !Array.isArray(d.rings) || d.rings.length < 2 || d.rings.length > 9) bad('rings must be a list of 2 to 9');
  const where = new Map();
  for (const r of d.rings) for (const s of r.segments || bad(`ring ${r.id} has no segments`)) {
    if (!(s.state in WORD)) bad(`segment ${s.id}: unknown state "${s.state}"`);
    where.set(r.id + '/' + s.id, 1);
  }
  for (const p of d.paths || []) for (const s of p.steps) {
    if (!where.has(s.ring + '/' + s.segment)) bad(`path ${p.id}: no segment ${s.ring}/${s.segment}`);
    if (!(s.result in RESULT)) bad(`path ${p.id}: unknown result "${s.result}"`);
  }
  return d;
}

export const sentence = {
  segment: (r, i, total, s) => t('rings.segment', { label: s.label, state: WORD[s.state], detail: s.detail || '', has: s.detail ? 'yes' : 'no', owner: s.owner || '', owned: s.owner ? 'yes' : 'no', i: i + 1, total, ring: r.label }),
  ring: r => { const c = {}; for (const s of r.segments) c[s.state] = (c[s.state] || 0) + 1; return `${r.label}: ` + Object.keys(WORD).filter(k => c[k]).map(k => `${c[k]} ${WORD[k]}`).join(', '); },
  path: (p, d) => { const stop = p.steps.find(s => s.result === 'stopped'); const name = id => (d.rings.find(r => r.id === id) || {}).label;
    return t('rings.path', { kind: p.kind || 'observed', label: p.label, steps: p.steps.map(s => s.after ? t('rings.step-after', { ring: name(s.ring), result: RESULT[s.result], after: s.after }) : `${name(s.ring)} ${RESULT[s.result]}`).join(', '), end: stop ? 'stopped' : 'open' }); }
};

export class RingPicture extends HTMLElement {
  static observedAttributes = ['labels', 'legend', 'compact'];
  #d; #root; #uid = 'rp' + (++serial); #sel = null; #cells = []; #at = [0, 0];
  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open' });
    const s = new CSSStyleSheet(); s.replaceSync(CSS); this.#root.adoptedStyleSheets = [s];
  }
  set data(d) { this.#d = check(d); if (this.isConnected) this.#draw(); }
  get data() { return this.#d; }
  connectedCallback() { this.#watch ??= new ResizeObserver(() => { const s = this.#size(); if (this.#d && (s.w !== this.#last?.w || s.h !== this.#last?.h)) this.#draw(); }); this.#watch.observe(this); if (this.#d) this.#draw(); }
  disconnectedCallback() { this.#watch.disconnect(); }
  #watch; #last;
  #size() { const c = getComputedStyle(this), f = v => parseFloat(v) || 0; return { w: Math.round(this.clientWidth - f(c.paddingLeft) - f(c.paddingRight)), h: Math.round(this.clientHeight - f(c.paddingTop) - f(c.paddingBottom)) - (this.hasAttribute('legend') ? (this.clientWidth < 560 ? 44 : 26) : 0) }; }
  attributeChangedCallback() { if (this.#d && this.isConnected) this.#draw(); }

  select(id) {
    this.#sel = id || null;
    const svg = this.#root.querySelector('svg'); if (!svg) return;
    svg.toggleAttribute('data-sel', !!this.#sel);
    const p = (this.#d.paths || []).find(x => x.id === this.#sel);
    for (const e of svg.querySelectorAll('.path')) e.classList.toggle('sel', e.dataset.id === this.#sel);
    for (const e of svg.querySelectorAll('.seg')) e.classList.toggle('hit', !!p && p.steps.some(s => s.ring + '/' + s.segment === e.dataset.id));
  }

  #draw() {
    const d = this.#d, compact = this.hasAttribute('compact'), R = d.rings.length;
    const size = this.#last = this.#size(), paths = d.paths || [], outside = d.sectors && !compact && this.getAttribute('labels') !== 'none' && size.w >= 380;
    const mx = outside ? 74 : paths.length ? 28 : 4, my = outside ? 38 : paths.length ? 28 : 4;
    const outer = Math.max(compact ? 20 : 110, Math.min(size.w / 2 - mx, size.h / 2 - my)), core = compact ? outer * .24 : Math.max(34, outer * .2), gap = compact ? 1.5 : outer > 170 ? 4 : 3;
    const pitch = (outer - core) / R, thick = pitch - gap, W = Math.max(size.w, 2 * (outer + mx)), H = 2 * (outer + my), cx = W / 2, cy = H / 2;
    const way = compact ? outer * .06 : 78;                                // width of the causeway, the gap at the bottom
    const half = r => Math.asin(Math.min(.98, way / 2 / r));
    const ang = (r, t) => Math.PI / 2 + half(r) + t * (TAU - 2 * half(r));  // t 0..1 clockwise from the causeway
    const pt = (r, a) => `${n(cx + r * Math.cos(a))} ${n(cy + r * Math.sin(a))}`;
    const rOut = i => outer - i * pitch, rIn = i => rOut(i) - thick;

    const pat = (id, size, rot, ...k) => el('pattern', { id: `${this.#uid}-${id}`, width: size, height: size, patternUnits: 'userSpaceOnUse', patternTransform: `rotate(${rot})${compact ? ' scale(.6)' : ''}` }, el('rect', { class: 'p-' + id, width: size, height: size }), ...k);
    const defs = el('defs', null, pat('ok', 8, 0),
      pat('partial', 7, 45, el('line', { class: 'p-partial-l', x1: 1.5, y1: 0, x2: 1.5, y2: 7 })),
      pat('fail', 8, 45, el('path', { class: 'p-fail-l', d: 'M0 4H8M4 0V8' })),
      pat('unknown', 6, 45, el('circle', { class: 'p-unknown-l', cx: 3, cy: 3, r: 1 })));
    const fill = s => s === 'none' ? 'none' : `url(#${this.#uid}-${s})`;
    const svg = el('svg', { width: n(W), height: n(H), viewBox: `0 0 ${n(W)} ${n(H)}`, role: 'group', 'aria-label': d.title || t('rings.title') }, defs);

    this.#cells = []; const pos = new Map();
    d.rings.forEach((r, i) => {
      const hue = r.hue || `var(--rf-ring-${i + 1})`, ro = rOut(i), ri = rIn(i), sg = ro - (compact ? 0 : 1.5), g = el('g', { role: 'group', 'aria-label': t('rings.ring', { i: i + 1, total: R, ring: sentence.ring(r) }) });
      const segs = d.sectors ? d.sectors.map(s => r.segments.find(x => (x.sector || x.id) === s.id)).filter(Boolean) : r.segments;
      const total = d.sectors ? d.sectors.length : segs.reduce((a, s) => a + (s.weight || 1), 0);
      const h = ro + 1, line = el('path', { class: 'hue', d: `M${pt(h, ang(h, 0))}A${n(h)} ${n(h)} 0 1 1 ${pt(h, ang(h, 1))}` }); line.style.stroke = hue; if (!compact) g.append(line);
      let acc = 0; const row = [];
      segs.forEach(s => {
        const k = d.sectors ? d.sectors.findIndex(x => x.id === (s.sector || s.id)) : acc, w = d.sectors ? 1 : (s.weight || 1), t0 = k / total, t1 = (k + w) / total; acc += w;
        const pad = r0 => 1.6 / r0, a = (r0, t, sign) => ang(r0, t) + sign * pad(r0), big = (ang(ro, t1) - ang(ro, t0)) > Math.PI ? 1 : 0;
        const D = `M${pt(sg, a(sg, t0, 1))}A${n(sg)} ${n(sg)} 0 ${big} 1 ${pt(sg, a(sg, t1, -1))}L${pt(ri, a(ri, t1, -1))}A${n(ri)} ${n(ri)} 0 ${big} 0 ${pt(ri, a(ri, t0, 1))}Z`;
        const item = this.#item(s.href, { class: 'seg ' + s.state, 'data-id': r.id + '/' + s.id, 'aria-label': sentence.segment(r, i, R, s) }, el('path', { d: D, fill: fill(s.state) }));
        pos.set(r.id + '/' + s.id, { i, t: (t0 + t1) / 2, w: t1 - t0, t0, t1 });
        this.#wire(item, { kind: 'segment', ring: r, segment: s }, s.label, `${r.label} · ${WORD[s.state]}${s.detail ? ' · ' + s.detail : ''}`);
        row.push(item); g.append(item);
      });
      if (!compact) { const y = cy + (ro + ri) / 2, t = el('text', { class: 'name', x: n(cx), y: n(y), 'aria-hidden': 'true' }, r.label); t.style.fill = hue; g.append(t); }
      svg.append(g); this.#cells.push(row);
    });

    const c = d.centre || {}, bad = paths.some(p => p.kind !== 'possible' && !p.steps.some(s => s.result === 'stopped')), cr = core - (compact ? 2 : 7);
    const centre = this.#item(c.href, { class: 'centre', 'aria-label': t('rings.centre', { value: c.value || '', label: c.label || '' }) }, el('circle', { class: 'core' + (bad ? ' bad' : ''), cx, cy, r: cr }),
      el('text', { class: 'cv', 'aria-hidden': 'true', x: cx, y: cy + (c.label && !compact ? 3 : 7) }, (c.value || '') + ' '), compact ? null : el('text', { class: 'cl', 'aria-hidden': 'true', x: cx, y: cy + 17 }, c.label || ''));
    this.#wire(centre, { kind: 'centre' }, c.label || t('rings.data'), c.detail || ''); svg.append(centre); this.#cells.push([centre]);

    if (outside) d.sectors.forEach((s, k) => {
      const t = (k + .5) / d.sectors.length, a = ang(outer, t), x = Math.cos(a), lr = outer + 4 + (paths.some(p => Math.abs(pos.get(p.steps[0].ring + '/' + p.steps[0].segment).t - t) < 1e-6) ? 30 : 12);
      const worst = d.rings.some(r => r.segments.some(z => (z.sector || z.id) === s.id && z.state === 'fail'));
      const words = Math.abs(x) > .25 ? s.label.split(' ') : [s.label], y0 = cy + lr * Math.sin(a) + 4 - (words.length - 1) * 7;
      words.forEach((w, j) => svg.append(el('text', { class: 'sector' + (worst ? ' bad' : ''), x: n(cx + lr * x), y: n(y0 + j * 14), 'text-anchor': x > .25 ? 'start' : x < -.25 ? 'end' : 'middle', 'aria-hidden': 'true' }, w)));
    });

    const rowP = [], used = new Map();
    paths.forEach((p, k) => {
      const stop = p.steps.findIndex(s => s.result === 'stopped'), steps = stop < 0 ? p.steps : p.steps.slice(0, stop + 1), first = pos.get(steps[0].ring + '/' + steps[0].segment);
      const key = steps[0].ring + '/' + steps[0].segment, lane = used.get(key) || 0; used.set(key, lane + 1);
      const T = (s, from) => { const q = pos.get(s.ring + '/' + s.segment), m = q.w * .22; return { i: q.i, t: from == null ? q.t + (lane % 2 ? -1 : 1) * Math.ceil(lane / 2) * q.w * .27 : Math.max(q.t0 + m, Math.min(q.t1 - m, from)) }; };
      const q0 = T(steps[0]), a0 = ang(outer, q0.t), g = el('g'), cuts = el('g'), over = el('g'), mr = outer + 15; let D = `M${pt(mr - 8, a0)}`, last = q0;
      steps.forEach((s, j) => {
        const q = j ? T(s, last.t) : q0, ro = rOut(q.i) + gap / 2, ri = rIn(q.i) - gap / 2;
        if (j && Math.abs(q.t - last.t) > 1e-6) { const sweep = q.t > last.t ? 1 : 0, rg = ro; D += `L${pt(rg, ang(rg, last.t))}A${n(rg)} ${n(rg)} 0 ${Math.abs(ang(rg, q.t) - ang(rg, last.t)) > Math.PI ? 1 : 0} ${sweep} ${pt(rg, ang(rg, q.t))}`; }
        if (s.result === 'stopped') { const rs = ro + 1.5, aa = ang(rs, q.t), w = 9 / rs; D += `L${pt(rs + 2, aa)}`; over.append(el('path', { class: 'stop', d: `M${pt(rs, aa - w)}A${n(rs)} ${n(rs)} 0 0 1 ${pt(rs, aa + w)}` })); }
        else { cuts.append(el('path', { class: 'cut', d: `M${pt(ro, ang(ro, q.t))}L${pt(ri, ang(ri, q.t))}` })); D += `L${pt(ro, ang(ro, q.t))}L${pt(ri, ang(ri, q.t))}`;
          if (s.result === 'slowed') { const rm = (ro + ri) / 2, [x, y] = pt(rm, ang(rm, q.t)).split(' '); over.append(el('circle', { class: 'slow', cx: x, cy: y, r: 4 })); } }
        last = q;
      });
      if (stop < 0) { const e = pt(cr, ang(cr, last.t)); D += `L${e}`; const [x, y] = e.split(' '); over.append(el('circle', { class: 'tip-end', cx: x, cy: y, r: 5 })); }
      const [mxx, myy] = pt(mr, a0).split(' ');
      g.append(cuts, el('path', { class: 'casing', d: D }), el('path', { class: 'way', d: D }), over, el('circle', { class: 'm', cx: mxx, cy: myy, r: 11 }), el('text', { x: mxx, y: myy }, p.mark || String.fromCharCode(65 + k)));
      const item = this.#item(p.href, { class: `path ${p.kind || 'observed'}`, 'data-id': p.id, 'aria-label': sentence.path(p, d) }, g);
      this.#wire(item, { kind: 'path', path: p }, p.label, sentence.path(p, d).replace(/^[^.]*\. /, '')); svg.append(item); rowP.push(item);
    });
    this.#cells.unshift(rowP);                                     // row 0: paths; then the rings inwards; last: the centre

    const tip = el('div', { class: 'tip', role: 'presentation' }), pic = el('div', { class: 'pic' }, svg);
    if (this.hasAttribute('legend')) pic.append(this.#legend(fill, paths));
    this.#root.replaceChildren(pic, this.toList(), tip); this.#tip = tip;
    if (!this.#cells[this.#at[0]]?.[this.#at[1]]) this.#at = [this.#cells[0].length ? 0 : 1, 0];
    this.#roam(); if (this.#sel) this.select(this.#sel);
  }
  #tip;

  #item(href, attrs, ...kids) { return href ? el('a', { ...attrs, href, tabindex: -1 }, ...kids) : el('g', { ...attrs, role: 'button', tabindex: -1 }, ...kids); }

  #wire(e, detail, head, text) {
    const say = on => {
      this.dispatchEvent(new CustomEvent('ring-focus', { detail: on ? detail : null, bubbles: true, composed: true }));
      const t = this.#tip; t.classList.toggle('on', on); if (!on) return;
      t.replaceChildren(el('b', null, head), el('span', null, text));
      const b = (e.querySelector('.m') || e).getBoundingClientRect(), h = this.getBoundingClientRect(), w = t.offsetWidth;
      t.style.left = Math.max(0, Math.min(h.width - w, b.left + b.width / 2 - h.left - w / 2)) + 'px';
      t.style.top = Math.max(0, (b.top - h.top > h.height / 2 ? b.top - h.top - t.offsetHeight - 8 : b.bottom - h.top + 8)) + 'px';
    };
    const open = ev => { const go = this.dispatchEvent(new CustomEvent('ring-open', { detail, bubbles: true, composed: true, cancelable: true })); if (!go) ev.preventDefault(); if (detail.kind === 'path') this.select(this.#sel === detail.path.id ? null : detail.path.id); };
    e.addEventListener('click', open); e.addEventListener('focus', () => say(true)); e.addEventListener('blur', () => say(false));
    e.addEventListener('pointerenter', () => say(true)); e.addEventListener('pointerleave', () => say(false));
    e.addEventListener('keydown', ev => {
      let y = this.#cells.findIndex(r => r.includes(e)), x = this.#cells[y].indexOf(e); const C = this.#cells, row = C[y];
      const go = { ArrowRight: () => x = (x + 1) % row.length, ArrowLeft: () => x = (x + row.length - 1) % row.length, Home: () => x = 0, End: () => x = row.length - 1,
        ArrowDown: () => step(1), ArrowUp: () => step(-1) }[ev.key];
      const step = s => { const to = C[y + s]; if (to && to.length) { x = Math.min(to.length - 1, Math.round(x * to.length / row.length)); y += s; } };
      if (go) { go(); ev.preventDefault(); this.#at = [y, x]; this.#roam(); C[y][x].focus(); }
      else if ((ev.key === 'Enter' || ev.key === ' ') && e.tagName !== 'a') { ev.preventDefault(); open(ev); }
      else if (ev.key === 'Escape') this.select(null);
    });
  }
  #roam() { this.#cells.flat().forEach(e => e.setAttribute('tabindex', -1)); this.#cells[this.#at[0]][this.#at[1]]?.setAttribute('tabindex', 0); }

  #legend(fill, paths) {
    const sw = (s, w) => el('span', null, el('svg', { viewBox: '0 0 18 12', class: 'sw', 'aria-hidden': 'true' }, el('g', { class: 'seg ' + s }, el('path', { d: 'M1 1H17V11H1Z', fill: fill(s) }))), w);
    const g = el('div', { class: 'legend' }, sw('ok', t('rings.l-holds')), sw('partial', t('rings.l-partial')), sw('fail', t('rings.l-fails')), sw('unknown', t('rings.l-unknown')));
    if (paths.length) g.append(el('span', null, el('svg', { viewBox: '0 0 18 12', 'aria-hidden': 'true' }, el('path', { class: 'way', d: 'M1 6H17' })), t('rings.observed')), el('span', null, el('svg', { viewBox: '0 0 18 12', class: 'possible', 'aria-hidden': 'true' }, el('path', { class: 'way', d: 'M1 6H17' })), t('rings.possible')), el('span', null, el('svg', { viewBox: '0 0 18 12', 'aria-hidden': 'true' }, el('path', { class: 'stop', d: 'M9 2V10' })), t('rings.l-stopped')));
    return g;
  }

  /** The same content as an ordered list, outermost ring first, with the same links. */
  toList() {
    const d = this.#d, link = (href, text) => href ? el('a', { html: 1, href }, text) : text, ol = el('ol', { class: 'list' });
    for (const r of d.rings) ol.append(el('li', null, sentence.ring(r), el('ol', null, ...r.segments.filter(s => s.state !== 'ok').map(s => el('li', null, link(s.href, `${s.label}: ${WORD[s.state]}`), s.detail ? ` (${s.detail})` : '')))));
    if (d.paths && d.paths.length) ol.append(el('li', null, t('rings.paths'), el('ol', null, ...d.paths.map(p => el('li', null, link(p.href, sentence.path(p, d)))))));
    return ol;
  }
}
if (!customElements.get('ring-picture')) customElements.define('ring-picture', RingPicture);
