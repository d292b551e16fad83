/* func.h - the registry of scalar functions, and what a function is made of.
 *
 * A function is one entry in a family's table (func_string.c, func_datetime.c, ...): name, doc line,
 * overloads with their kernels, null rule. Adding one touches one file; a new family adds one line to
 * func.c.
 *
 * Signatures are texts, read by the binder and printed by `ringfort functions`:
 *   "(source:string, start:long, [length:long]) string"     [..] may be left out
 *   "(regex:string, rest:string...) dynamic"                "..." may repeat, once or more
 *   "(value:any) string"                                    any: every type, passed as it is
 *   "(text:scalar) string"                                  scalar: every type, read as its text
 *   "(a:T, b:T...) T"                                       T: the arguments' common type
 * The binder takes the first overload whose types are met exactly, else the first that is met by
 * widening (int > long > real, int/long/real > decimal, decimal > real where there is nothing for decimals), else the first met by reading a dynamic as the type asked
 * for or by printing as string where only a dynamic was given. It inserts the conversions, so a kernel sees the types it
 * asked for. */
#ifndef RF_FUNC_H
#define RF_FUNC_H

#include "value/value.h"

struct func_call;

/* Computes rows 0..count-1.
 *   args   call->arg_count vectors, each VEC_FLAT or VEC_CONST, of the types the signature asks for
 *   out    flat, of call->type, with room for `count` cells and with null bytes:
 *          FUNC_STRICT: out->nulls[i] is already 1 where an argument is null, and the cell is zeroed
 *            there; the kernel may skip those rows, and sets more nulls
 *            where the result is null
 *          FUNC_CUSTOM: nulls all 0, cells zeroed; the kernel decides
 *          A string result is never null: set the text (empty for a missing value); null bytes of a
 *          string result are cleared by the caller. A FUNC_STRICT string function gives "" for null arguments.
 *   New bytes (strings, dynamics) are allocated in call->arena and live as long as the batch.
 * Errors: RF_LIMIT from lack of memory; RF_INVALID only from assert(). A bad value gives null. */
typedef enum rf_kind func_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                 struct vec *out, struct rf_err *err);

enum func_nulls { FUNC_STRICT, FUNC_CUSTOM };
enum func_flags {
    FUNC_VOLATILE =
        1, /* rand(), new_guid(): evaluated per row even when all arguments are constant */
    FUNC_HIDDEN = 2, /* an old alias: works, not listed */
};

struct func_overload {
    const char *sig; /* NULL ends the list */
    func_kernel *kernel;
};

/* What `resolve` sees and may change while a call is bound. */
struct func_bind {
    const struct func *func;
    uint32_t arg_count;
    const uint8_t *types;        /* enum type of each argument, after the overload was chosen */
    const struct value **consts; /* the value where an argument is a constant, else NULL */
    struct rf_arena *arena;      /* lives as long as the query */
    enum type type;              /* in: by the signature; out: result type */
    func_kernel *kernel;         /* in: by the signature; out: may be another */
    /* A function that yields several columns (series_stats, array_sort_asc of two): its kernel returns a
     * dynamic array; `project` and `extend` spread it over columns. 0 = a single value. */
    uint32_t tuple_count;
    const rf_str *tuple_names; /* suffixes or whole names; ptr NULL: named by the operator */
    const uint8_t *tuple_types;
};

struct func {
    const char *name;
    const char *doc; /* one line, our own words */
    const struct func_overload *sigs;
    uint8_t nulls; /* enum func_nulls */
    uint8_t flags;
    /* The name of its column where a query gives none: '%' stands for the first argument's name, as in "strlen_%". NULL:
     * Column1, Column2, ... */
    const char *column;
    /* Optional: looks at types and constants, changes type or kernel. */
    enum rf_kind (*resolve)(struct func_bind *bind, struct rf_err *err);
    /* Optional: called once per worker before the first kernel call; may put a compiled form of constant
     * arguments into call->state (allocated in call->query_arena). args[i] is VEC_CONST
     * where the argument is constant, else its data is NULL. */
    enum rf_kind (*prepare)(struct func_call *call, const struct vec *args, struct rf_err *err);
};

/* One call site of one worker. */
struct func_call {
    const struct func *func;
    uint32_t arg_count;
    enum type type;               /* of the result */
    struct rf_arena *arena;       /* batch memory: results */
    struct rf_arena *query_arena; /* lives as long as the query */
    void *state;                  /* what prepare made */
    int64_t now_ticks;            /* now(): one value for the whole query */
    struct func_env *env; /* set statements, session facts; see exec.h. May be NULL in tests */
    const atomic_bool *cancelled; /* NULL, or set when the query is to end: see func_go_on */
};

/* RF_CANCELLED when the query is to end. Kernels that may work long on one row ask now and then. */
RF_MUST_USE enum rf_kind func_go_on(const struct func_call *call, struct rf_err *err);

/* Finds a function by its (case-sensitive) name; NULL when there is none. */
const struct func *func_find(rf_str name);
/* All functions in the order of their families; for listing and "did you mean". */
size_t func_count(void);
const struct func *func_at(size_t index);

/* ---- for kernels ------------------------------------------------------------------------------- */

/* Head a kernel whose body need not use every argument; the shared one is for families that lie in
 * several files and is declared as `func_kernel name;`. */
#define FUNC_KERNEL(name) static FUNC_KERNEL_SHARED(name)
#define FUNC_KERNEL_SHARED(name)                                                                   \
    enum rf_kind name(__attribute__((unused)) struct func_call *call,                              \
                      __attribute__((unused)) const struct vec *args, uint32_t count,              \
                      struct vec *out, __attribute__((unused)) struct rf_err *err)

/* Reading args that are FLAT or CONST without a branch: stride 0 or 1. */
#define ARG_STRIDE(v) ((v)->shape == VEC_FLAT)
#define ARG_NULL(v, i) ((v)->nulls != NULL && (v)->nulls[ARG_STRIDE(v) ? (i) : 0])
#define ARG_I64(v, i) (((const int64_t *)(v)->data)[ARG_STRIDE(v) ? (i) : 0])
#define ARG_REAL(v, i) (((const double *)(v)->data)[ARG_STRIDE(v) ? (i) : 0])
#define ARG_BOOL(v, i) (((const uint8_t *)(v)->data)[ARG_STRIDE(v) ? (i) : 0] != 0)
#define ARG_STR(v, i) (((const rf_str *)(v)->data)[ARG_STRIDE(v) ? (i) : 0]) /* string or dynamic */
#define ARG_DEC(v, i) (((const struct decimal *)(v)->data)[ARG_STRIDE(v) ? (i) : 0])
#define ARG_GUID(v, i) (((const struct guid *)(v)->data)[ARG_STRIDE(v) ? (i) : 0])
#define OUT_I64(v) ((int64_t *)(uintptr_t)(v)->data)
#define OUT_REAL(v) ((double *)(uintptr_t)(v)->data)
#define OUT_BOOL(v) ((uint8_t *)(uintptr_t)(v)->data)
#define OUT_STR(v) ((rf_str *)(uintptr_t)(v)->data)
#define OUT_DEC(v) ((struct decimal *)(uintptr_t)(v)->data)
#define OUT_GUID(v) ((struct guid *)(uintptr_t)(v)->data)
#define OUT_NULL(v) ((uint8_t *)(uintptr_t)(v)->nulls)

/* ---- tests: calls `name` with constant arguments through the binder's overload choice --------------- */
RF_MUST_USE enum rf_kind func_eval(rf_str name, const struct value *args, uint32_t arg_count,
                                   struct rf_arena *arena, struct value *out, struct rf_err *err);

#endif
