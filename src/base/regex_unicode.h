/* regex_unicode.h - what the regular expressions and the text functions know of Unicode: general
 * categories, the common scripts, simple case mappings (one code point to one). */
#ifndef RF_REGEX_UNICODE_H
#define RF_REGEX_UNICODE_H

#include "base/rf.h"

enum { UNICODE_MAX = 0x10FFFF };

/* low, low + stride, .. high. */
struct unicode_range {
    uint32_t low, high, stride;
};
/* A two-letter general category or a script: `count` ranges from unicode_ranges[first]. */
struct unicode_class {
    const char *name;
    uint16_t first, count;
};
/* Code points low, low + stride .. high map to themselves + delta. Sorted by low; without ASCII. */
struct unicode_map {
    uint32_t low, high, stride;
    int32_t delta;
};

extern const struct unicode_range unicode_ranges[];
extern const struct unicode_class unicode_classes[];
extern const size_t unicode_class_count;
extern const struct unicode_map unicode_lower_map[], unicode_upper_map[], unicode_fold_map[];
extern const size_t unicode_lower_count, unicode_upper_count, unicode_fold_count;

/* The class called `name` ("Lu", "Greek"; case counts), or NULL. One-letter categories ("L") are the
 * union of all classes with a two-letter name that starts with it. */
const struct unicode_class *unicode_class_find(rf_str name);

/* Simple mappings; a code point without one stays. `fold` is the form in which two texts that differ
 * in case alone are equal. */
uint32_t unicode_lower(uint32_t cp);
uint32_t unicode_upper(uint32_t cp);
uint32_t unicode_fold(uint32_t cp);

#endif
