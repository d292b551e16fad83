/* encode.h - texts for bytes (base64, base64url, hex, percent), GUIDs as texts, times as the protocols write them. */
#ifndef RF_ENCODE_H
#define RF_ENCODE_H

#include "base/clock.h"

/* ---- bytes as texts (RFC 4648). Results are in `arena`, ptr NULL on lack of memory ----------------------------- */

rf_str base64_encode(struct rf_arena *arena, rf_str bytes);    /* with padding */
rf_str base64url_encode(struct rf_arena *arena, rf_str bytes); /* without padding */
rf_str hex_encode(struct rf_arena *arena, rf_str bytes);       /* lower case */
/* Strict: no white space, no foreign characters, the unused bits are zero, padding whole (base64) or absent (base64url).
 * RF_INVALID BadBase64, BadHex; RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind base64_decode(struct rf_arena *arena, rf_str text, rf_str *out,
                                       struct rf_err *err);
RF_MUST_USE enum rf_kind base64url_decode(struct rf_arena *arena, rf_str text, rf_str *out,
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind hex_decode(struct rf_arena *arena, rf_str text, rf_str *out,
                                    struct rf_err *err);

/* ---- URLs (RFC 3986) -------------------------------------------------------------------------------------------- */

/* Resolves %XX; '+' becomes a blank when `form` (application/x-www-form-urlencoded). The result is `text` itself when there
 * is nothing to resolve. RF_INVALID BadPercentEncoding: a % without two hex digits, %00, or malformed UTF-8. */
RF_MUST_USE enum rf_kind percent_decode(struct rf_arena *arena, rf_str text, bool form, rf_str *out,
                                        struct rf_err *err);
/* Everything but unreserved characters becomes %XX. */
rf_str percent_encode(struct rf_arena *arena, rf_str text);

/* ---- GUIDs: lower case with dashes ------------------------------------------------------------------------------- */

enum { GUID_TEXT_BYTES = 36 };
/* 16 random bytes as a version 4 GUID; in `arena`, ptr NULL on lack of memory. Random bytes are the operating system's. */
rf_str guid_random(struct rf_arena *arena);
/* True when `text` has the form 8-4-4-4-12 of hex digits, in any case. */
bool guid_is(rf_str text);

/* ---- times -------------------------------------------------------------------------------------------------------- */

rf_str time_iso(struct rf_arena *arena, rf_usec time); /* 2026-01-31T12:00:00.1234560Z: 7 digits */
rf_str time_http(struct rf_arena *arena,
                 rf_usec time); /* Sat, 31 Jan 2026 12:00:00 GMT (RFC 9110) */
/* ISO 8601 date and time with Z or an offset. */
bool time_parse_iso(rf_str text, rf_usec *out);
/* ISO 8601 duration with weeks, days, hours, minutes, seconds (years and months as 365 and 30 days), in microseconds. */
bool duration_parse_iso(rf_str text, rf_usec *out);

#endif
