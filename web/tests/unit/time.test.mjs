import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

const m = await load("data/time", "data/prefs", "i18n/index"), time = m["data/time"], { prefs } = m["data/prefs"], i18n = m["i18n/index"];
await i18n.loadTexts("");
const now = Date.parse("2026-11-21T14:32:07Z"), min = 60_000, hour = 60 * min, day = 24 * hour;

test("ranges of the address", () => {
  const r = time.parseRange("24h", now);
  assert.equal(+r.to, now);
  assert.equal(+r.from, now - day);
  assert.equal(r.live, true);
  assert.equal(time.timespan(r), "PT86400S");
  for (const [text, short] of [["7d", "7d"], ["ago(7d)", "7d"], ["7 days", "7d"], ["90 min", "90m"], ["2w", "2w"], [" 1h ", "1h"]]) assert.equal(time.parseRange(text, now).text, short, text);
  const two = time.parseRange("2026-11-20T10:00Z/2026-11-21T10:00Z", now);
  assert.equal(two.live, false);
  assert.equal(time.timespan(two), "2026-11-20T10:00:00.000Z/2026-11-21T10:00:00.000Z");
  assert.equal(two.text, "2026-11-20T10:00Z/2026-11-21T10:00Z");
  assert.equal(+time.parseRange("2026-11-20T10:00/2026-11-20T11:00").from, Date.parse("2026-11-20T10:00Z"), "no zone is UTC");
  for (const bad of ["", null, "0h", "5x", "tomorrow", "2026-11-21/2026-11-20", "a/b", "99999h"]) assert.equal(time.parseRange(bad, now), null, String(bad));
});

test("a step back and forward keeps the length and never passes now", () => {
  const r = time.parseRange("4h", now), back = time.shift(r, -1, now);
  assert.equal(+back.to, now - 4 * hour);
  assert.equal(+back.to - +back.from, 4 * hour);
  const again = time.shift(time.shift(back, 1, now), 1, now);
  assert.equal(+again.to, now);
  assert.deepEqual([+time.parseRange(back.text).from, +time.parseRange(back.text).to], [+back.from, +back.to], "its text is read back");
});

test("durations", () => {
  const of = (ms) => time.duration(ms);
  assert.deepEqual([0, 40, 400, 4200, 42_000, 4 * min, 70 * min, 3 * hour, 11 * hour + 40 * min, 26 * hour, 3 * day, -4 * min].map(of),
    ["0 s", "40 ms", "0.4 s", "4.2 s", "42 s", "4 min", "1 h 10 min", "3 h", "12 h", "1 day 2 h", "3 days", "4 min"]);
  assert.equal(of(59.99 * 1000), "60 s");
  assert.equal(of(23 * hour + 59.9 * min), "1 day");
});

test("times by their age", () => {
  assert.equal(time.when(now - hour, now), "13:32:07");
  assert.equal(time.when("2026-10-15T10:00:00Z", now), "15 Oct 2026");
  assert.equal(time.stamp("2026-10-15T10:00:05Z"), "15 Oct 2026, 10:00:05");
  assert.equal(time.ago(now - 4 * min, now), "4 min ago");
  assert.equal(time.ago(now - 2 * day, now), "19 Nov 2026");
  assert.deepEqual(time.left(now + 38 * min, now), { text: "38 min", late: false });
  assert.deepEqual(time.left(now - 4 * min, now), { text: "4 min late", late: true });
  for (const none of [null, undefined, "", "no time"]) assert.equal(time.when(none), "-");
});

test("the zone of the person counts", () => {
  prefs.set({ ...prefs.value, zone: "Asia/Tokyo" });
  assert.equal(time.clock("2026-11-21T20:00:00Z"), "05:00:00");
  assert.equal(time.day("2026-11-21T20:00:00Z"), "22 Nov 2026");
  assert.equal(time.zoneWords(), "Asia/Tokyo");
  prefs.set({ ...prefs.value, zone: "UTC" });
  assert.equal(time.clock("2026-11-21T20:00:00Z"), "20:00:00");
});

test("numbers", () => {
  assert.equal(time.num(41208), "41,208");
  assert.equal(time.num(null), "-");
  assert.deepEqual([0, 7, 9.126, 412, 9999, 41_208, 1_943_000, 999_999, 2.5e9].map(time.short), ["0", "7", "9.13", "412", "9,999", "41.2 k", "1.94 M", "1 M", "2.5 G"]);
  assert.deepEqual([0, 999, 1000, 61_400_000, 999_600].map(time.bytes), ["0 B", "999 B", "1 kB", "61.4 MB", "1 MB"]);
  assert.equal(time.percent(0.72), "72%");
});
