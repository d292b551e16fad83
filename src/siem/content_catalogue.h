/* content_catalogue.h - packages that can be installed: folders with a template each (contracts/content.md section 2.1).
 *
 * A folder of the configuration is a package itself, when mainTemplate.json stands in it or in its folder Package, or holds
 * folders of packages. Of each only what a list shows is kept; the template is read anew when it is asked for. */
#ifndef RF_SIEM_CONTENT_CATALOGUE_H
#define RF_SIEM_CONTENT_CATALOGUE_H

#include "base/json_tree.h"

struct catalogue;
/* Reads all packages; one that cannot be read is left out and logged. RF_NOT_FOUND FileNotFound and the like: a folder is not
 * there. No folders: an empty catalogue. */
RF_MUST_USE enum rf_kind catalogue_new(const rf_str *folders, uint32_t folder_count,
                                       struct catalogue **out, struct rf_err *err);
void catalogue_free(struct catalogue *catalogue); /* NULL is fine */

struct catalogue_package {
    rf_str id; /* contentId */
    rf_str version;
    const struct json_node *properties; /* without packagedContent */
    const char *path;                   /* of its template */
};
/* In the order of folders and names; each id once, with the highest version. Any thread. */
const struct catalogue_package *catalogue_packages(const struct catalogue *catalogue,
                                                   uint32_t *count);
/* The template of a package, in `arena`. */
RF_MUST_USE enum rf_kind catalogue_template(const struct catalogue_package *package,
                                            struct rf_arena *arena, struct json_node **out,
                                            struct rf_err *err);
/* <0, 0, >0: numbers between dots are compared as numbers; what is absent counts as 0. */
int content_version_cmp(rf_str a, rf_str b);

#endif
