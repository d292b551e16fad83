/* assets.h - the files of the portal's pages in their archive, which tools/portal.mjs draws and writes. Each is there as brotli and as gzip. */
#ifndef RF_PORTAL_ASSETS_H
#define RF_PORTAL_ASSETS_H

#include "base/json_tree.h"

struct asset {
    rf_str name; /* "index.html", "assets/main-ABCD1234.js" */
    rf_str type; /* of its media */
    rf_str etag; /* without quotes */
    rf_str br, gz;
    size_t bytes; /* when it is not compressed */
};
struct assets {
    struct asset *items; /* in the order of their names */
    uint32_t count;
};
enum { ASSET_BYTES_MAX = 64 << 20 };
/* Views of `archive`, and names in `arena`. RF_CORRUPT PortalArchiveBad. An empty archive has no files. */
RF_MUST_USE enum rf_kind assets_open(rf_str archive, struct rf_arena *arena, struct assets *out,
                                     struct rf_err *err);
/* NULL: there is none of that name. */
const struct asset *assets_find(const struct assets *assets, rf_str name);

#endif
