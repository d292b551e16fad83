/* external.h - the places outside that an operator lets queries read: hosts over HTTPS, and folders of files. */
#ifndef RF_TABLES_EXTERNAL_H
#define RF_TABLES_EXTERNAL_H

#include "kql/external.h"
#include "net/egress.h"

enum { EXTERNAL_BYTES_MAX = 256 << 20 }; /* of one place */

struct external_places {
    struct external external; /* for catalog.external */
    struct egress egress;     /* https://HOST/...; empty lists: no host */
    const char *const
        *folders; /* absolute, without links; files in them and below, as path or file://... */
    uint32_t folder_count;
};
/* What the struct borrows outlives it; set `egress` and `folders` first. */
void external_places_init(struct external_places *places);

#endif
