/* layout.h - how recorded events look: where a Sigma field finds its value, and which events a rule's log source
 * means. Both are data (layout_table.c): the direct run and the compiled KQL read the same tables.
 *
 * A log source means the events whose key fields (Channel and EventID, say) have one of the values of its entry; those of
 * category and service must both hold. Sources: the Sigma taxonomy appendix 2.1, Azure Monitor's table reference. */
#ifndef RF_SIGMA_LAYOUT_H
#define RF_SIGMA_LAYOUT_H

#include "sigma/sigma.h"

enum { LAYOUT_KEYS_MAX = 3, LAYOUT_FALLBACKS_MAX = 4, LAYOUT_BOUNDS_MAX = 2 };

enum layout_form {
    LAYOUT_FLAT,       /* one JSON object a line; a field is a key, or keys joined by dots */
    LAYOUT_NESTED,     /* the same, but most fields lie deeper */
    LAYOUT_EVENT_DATA, /* a row of WindowsEvent: fields in the JSON text EventData */
    LAYOUT_WINDOWS,    /* nested JSON of an event's XML: Event.System, Event.EventData */
    LAYOUT_SYSLOG,     /* a row of Syslog with Sysmon's XML in SyslogMessage */
    LAYOUT_AUDITD      /* raw lines of the Linux audit log */
};

/* A field that is not found under its own name. */
struct layout_field {
    const char *name;
    const char *places[LAYOUT_FALLBACKS_MAX]; /* the first that has a value counts */
};

struct layout_source {
    const char *product, *category, *service; /* NULL: not asked for */
    const char *table;                        /* NULL: that of the layout */
    const char *keys[LAYOUT_KEYS_MAX];        /* values, without case, between bars; NULL: any */
};

struct layout {
    const char *name, *doc;
    enum layout_form form;
    const char *table;                 /* in KQL */
    const char *keys[LAYOUT_KEYS_MAX]; /* fields that tell events apart */
    const char *number_keys;           /* those of them that are numbers, as columns */
    const struct layout_field *fields; /* up to an empty name */
    const struct layout_source
        *sources; /* up to an entry without table, product and category; NULL: all rules see all */
    const char *columns; /* the table's columns that need no column_ifexists, between blanks */
    const char *times[LAYOUT_FALLBACKS_MAX]; /* where an event's time stands */
    const char *time_column;                 /* in KQL, as an expression */
};

extern const struct layout layouts[];
size_t layout_count(void);
const struct layout *layout_find(rf_str name); /* NULL: none */
/* The name that is nearest, for "did you mean"; NULL when none is near. */
const char *layout_nearest(rf_str name);

/* What a log source means in a layout. */
struct layout_bounds {
    const struct layout_source *items[LAYOUT_BOUNDS_MAX]; /* all hold */
    uint32_t count;                                       /* 0: every event */
};
/* False when the layout has no such events; *why (may be NULL) is then a static text that says what is missing. */
bool layout_sees(const struct layout *layout, const struct sigma_logsource *source,
                 struct layout_bounds *out, const char **why);
/* Whether the value is one of the list, without case; an absent list has every value. */
bool layout_has_value(const char *list, rf_str value);
/* The next value of a list between bars; moves *list behind it. */
bool layout_next_value(const char **list, rf_str *out);
/* Where the field is found; count 0: under its own name. */
const struct layout_field *layout_field_of(const struct layout *layout, rf_str field);
/* Whether `name` is one of the layout's columns. */
bool layout_has_column(const struct layout *layout, rf_str name);

/* Recognises the layout of a file by one of its lines; NULL when it cannot be told. */
const struct layout *layout_of_line(rf_str line);

#endif
