/* search_int.h - an index in memory over the names and metadata of all vaults' objects, for what is asked across vaults: search, what ends soon, what nobody uses.
 *
 * Built when it is first asked for, from the state, and kept current by marks: whoever writes an object says so (store.c), and the next question reads what
 * was marked. Nothing sealed is in it. docs/vault-reports.md says what it costs. */
#ifndef RF_VAULT_SEARCH_INT_H
#define RF_VAULT_SEARCH_INT_H

#include "vault/report_int.h"

enum {
    SEARCH_WORDS_MAX = 8,
    SEARCH_TAGS_MAX = 8,
    SEARCH_TOP_DEFAULT = 100,
    SEARCH_TOP_MAX = 1000,
    SEARCH_TOTAL_MAX = 10000, /* matches beyond are not counted */
    SEARCH_PATTERN_BYTES_MAX = 256
};

/* ---- the index (search_index.c) ------------------------------------------------------------------------------------------- */

struct search_record {
    rf_str key;  /* "GUID/secrets/NAME", lower case */
    rf_str guid; /* views of key */
    rf_str low;  /* the name in lower case */
    rf_str name; /* as it was first written */
    enum seal_kind kind;
    int64_t born; /* when the object itself was made; `created` is its latest version's */
    bool deleted, managed, enabled;
    bool has_version; /* false: a certificate that is not issued yet */
    bool tags_cut;    /* too long to be kept here: they are in the state */
    int64_t created, updated, not_before, expires, deleted_at, purge_at; /* seconds */
    rf_str content_type;
    rf_str
        tags; /* each: its name's length and its name, its value's length and its value; lengths of 2 bytes, little endian */
    const struct json_node
        *shown;    /* of what is no object (authorities): what is told of it; else NULL */
    uint32_t slot; /* the index's own, like what follows */
    struct search_record *next;
};
struct search_index;
struct search_index *search_index_new(void); /* NULL: no memory */
void search_index_free(struct search_index *index);
/* An object is being written, in a write transaction: to be read again once that is committed. Cheap while nobody has searched. */
void search_index_mark(struct search_index *index, struct state *state, rf_str key);
struct search_view {
    struct search_record *const *items; /* in no order */
    uint32_t count;
    bool is_partial; /* there are more than it may hold */
};
/* Brings it up to date and keeps it so until search_index_close, which must follow a success. */
RF_MUST_USE enum rf_kind search_index_open(struct search_index *index, struct state *state,
                                           struct search_view *out, struct rf_err *err);
void search_index_close(struct search_index *index);
/* The next tag of *tags; false: there is none. */
bool search_tag_next(rf_str *tags, rf_str *name, rf_str *value);

/* ---- one question (search_run.c) --------------------------------------------------------------------------------------------- */

enum search_order {
    SEARCH_BY_NAME,
    SEARCH_BY_VAULT,
    SEARCH_BY_EXPIRY,
    SEARCH_BY_UPDATED,
    SEARCH_BY_CREATED,
    SEARCH_BY_READ
};
struct search_query {
    rf_str
        words[SEARCH_WORDS_MAX]; /* each in the name; one with '*' is a pattern of the whole name */
    uint32_t word_count;
    struct {
        rf_str name, value; /* patterns; value empty: any */
    } tags[SEARCH_TAGS_MAX];
    uint32_t tag_count;
    unsigned kinds;                   /* bits of enum seal_kind; 0: all */
    int enabled, deleted;             /* 1, 0; -1: either */
    rf_str content_type, vault;       /* patterns; empty: any */
    int64_t expires_from, expires_to; /* both 0: whether it ends or not */
    int64_t unused_since;             /* 0: all; else what was not read since */
    bool without_managed;
    enum search_order order;
    bool descending;
    uint32_t top;
    rf_str position; /* of the page before, as it was given; empty: the first page */
    const struct search_record *more; /* further candidates */
    uint32_t more_count;
};
struct search_hit {
    const struct search_record *record;
    const struct vault_place *place;
    int64_t last_read; /* 0: never, as far as is known */
};
struct search_run {
    struct request *request;
    struct vault_viewer viewer;
    struct vault_place *places; /* that the caller's address reaches */
    uint32_t place_count;
    /* Adds to what is told of a hit; NULL: nothing. */
    enum rf_kind (*show)(struct search_run *run, const struct search_hit *hit,
                         struct json_node *out, struct rf_err *err);
    /* Whether a hit that the caller may see is told at all; NULL: it is. */
    bool (*wants)(struct search_run *run, const struct search_hit *hit, struct rf_arena *scratch);
    void *ctx; /* of both */
    int64_t now;
};
/* Finds out which vaults there are. */
RF_MUST_USE enum rf_kind search_begin(struct request *request, struct search_run *run,
                                      struct rf_err *err);
/* 200 with {"value","count","countIsExact","nextLink"}. */
enum rf_kind search_answer(struct search_run *run, const struct search_query *query,
                           struct rf_err *err);
/* The item of a hit, and its latest version, as they are now. RF_NOT_FOUND when it is gone. */
RF_MUST_USE enum rf_kind search_load(struct search_run *run, const struct search_hit *hit,
                                     struct vault_call *call, struct vault_item *item,
                                     struct vault_version *version, struct rf_err *err);
/* Times of parameters: seconds since 1970, or ISO 8601 in UTC. */
bool search_time_read(rf_str text, int64_t *out);
/* "$top", "$skiptoken", and that there is an api-version. */
RF_MUST_USE enum rf_kind search_window(struct request *request, struct search_query *query,
                                       struct rf_err *err);
/* All that a search is asked with: parameters, and the body of a POST. Views of both. */
RF_MUST_USE enum rf_kind search_read(struct request *request, struct search_query *out,
                                     struct rf_err *err);
/* Where a page ended, as $skiptoken tells of it: "NUMBER/TEXT/GUID/KIND/NAME". */
struct search_position {
    int64_t number;
    rf_str text, key;
};
rf_str search_position_put(struct rf_arena *arena, const struct search_position *position);
/* Views of `text`. False: it is none. */
bool search_position_read(rf_str text, struct search_position *out);
/* A parameter that is a number of days, at most `most`. */
RF_MUST_USE enum rf_kind search_days(struct request *request, const char *name, int64_t fallback,
                                     int64_t most, int64_t *out, struct rf_err *err);
/* `pattern` with '*' for any text, ASCII case ignored. */
bool search_matches(rf_str pattern, rf_str text);

/* ---- routes of the control plane ------------------------------------------------------------------------------------------------ */

enum rf_kind vault_run_search(struct request *request, struct rf_err *err); /* search.c */
enum rf_kind vault_run_expiring(struct request *request,
                                struct rf_err *err);                        /* report_expiring.c */
enum rf_kind vault_run_unused(struct request *request, struct rf_err *err); /* report_activity.c */
enum rf_kind vault_run_reach(struct request *request, struct rf_err *err);  /* report_readers.c */

#endif
