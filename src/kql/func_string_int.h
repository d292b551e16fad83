/* func_string_int.h - what the families of text functions share. */
#ifndef RF_FUNC_STRING_INT_H
#define RF_FUNC_STRING_INT_H

#include "kql/func_families.h"
#include "value/dyn.h"
#include "value/text.h"
#include "value/text_rows.h"

/* The argument of any type as tostring() would give it; false: no memory. */
bool string_arg(const struct vec *v, uint32_t row, struct rf_arena *arena, rf_str *out);
/* An element of a dynamic as text; false: no memory. */
bool string_item(rf_str item, struct rf_arena *arena, rf_str *out);

/* Moves over `count` code points from byte `at`; stops at the end. Returns the byte offset. */
size_t string_skip(rf_str s, size_t at, uint64_t count);
/* Byte offset that a start counted in code points means: negative counts from the end. */
size_t string_start(rf_str s, int64_t start);
bool string_is_ascii(rf_str s);

/* The arguments start, length and occurrence of indexof and indexof_regex, as bytes. */
struct string_window {
    size_t from, to;
    int64_t occurrence; /* 1: the first */
};
/* False: the arguments give null. */
bool string_window(const struct func_call *call, const struct vec *args, uint32_t row, rf_str s,
                   struct string_window *out);

#endif
