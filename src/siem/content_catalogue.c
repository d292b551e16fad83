#include "siem/content_catalogue.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/log.h"

enum {
    CATALOGUE_BYTES_MAX = 64 << 20,
    TEMPLATE_BYTES_MAX = 32 << 20,
    SCRATCH_BYTES_MAX = 512 << 20, /* for one template, parsed */
    PACKAGES_MAX = 4000,
    RESOLVE_STEPS_MAX = 8,
    ID_BYTES_SHORT = 50 /* of an id in a product id */
};

struct catalogue {
    struct rf_arena arena;
    struct catalogue_package *packages;
    uint32_t count;
};

/* ---- texts of a template ---------------------------------------------------------------------------------------------------- */

/* Inside of "[name('x')]": x; empty when it is something else. */
static rf_str argument_of(rf_str text, const char *name)
{
    size_t len = strlen(name);
    if (text.len < len + 6 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return (rf_str){0};
    rf_str inner = rf_slice(text, 1, text.len - 1);
    if (!rf_str_eq_nocase(rf_slice(inner, 0, len), rf_str_of(name)) ||
        !rf_str_starts(rf_slice(inner, len, inner.len), RF_S("('")) ||
        !rf_str_ends(inner, RF_S("')")))
        return (rf_str){0};
    rf_str argument = rf_slice(inner, len + 2, inner.len - 2);
    return memchr(argument.ptr, '\'', argument.len) != NULL ? (rf_str){0} : argument;
}

/* A text, or the variable or default that it stands for. What would have to be computed is empty: it is known only when the
 * package is deployed. */
static rf_str resolve(const struct json_node *template, const struct json_node *node)
{
    for (int step = 0; json_is(node, JSON_T_STRING) && step < RESOLVE_STEPS_MAX; step++) {
        if (node->text.len == 0 || node->text.ptr[0] != '[') return node->text;
        rf_str variable = argument_of(node->text, "variables");
        rf_str parameter = argument_of(node->text, "parameters");
        if (variable.len > 0)
            node = json_get_nocase(json_get_nocase(template, RF_S("variables")), variable);
        else if (parameter.len > 0)
            node =
                json_get(json_get_nocase(json_get_nocase(template, RF_S("parameters")), parameter),
                         "defaultValue");
        else
            return (rf_str){0};
    }
    return (rf_str){0};
}

static bool is_of_type(const struct json_node *resource, const char *end)
{
    rf_str type = json_text_at(resource, "type"), last = rf_str_of(end);
    return type.len > last.len &&
           rf_str_eq_nocase(rf_slice(type, type.len - last.len, type.len), last);
}

/* The properties of the package itself: contentPackages of generation 3, metadata of a solution before. */
static const struct json_node *find_package(const struct json_node *template)
{
    const struct json_node *resources = json_get_nocase(template, RF_S("resources")), *found = NULL;
    if (!json_is(resources, JSON_T_ARRAY)) return NULL;
    for (const struct json_node *r = resources->first; r != NULL; r = r->next) {
        const struct json_node *properties = json_get(r, "properties");
        if (is_of_type(r, "/contentPackages")) return properties;
        if (is_of_type(r, "/metadata") &&
            rf_str_eq_nocase(json_text_at(properties, "kind"), RF_S("Solution")))
            found = properties;
    }
    return found;
}

static rf_str text_of(const struct json_node *template, const struct json_node *properties,
                      const char *member, const char *const *variables)
{
    rf_str text = resolve(template, json_at(properties, member));
    const struct json_node *all = json_get_nocase(template, RF_S("variables"));
    for (; text.len == 0 && variables != NULL && *variables != NULL; variables++)
        text = resolve(template, json_get_nocase(all, rf_str_of(*variables)));
    return text;
}

/* Whether expressions are left in it, which nobody outside of the template understands. */
static bool has_expression(const struct json_node *node)
{
    if (node->type == JSON_T_STRING) return node->text.len > 0 && node->text.ptr[0] == '[';
    for (const struct json_node *child = node->first; child != NULL; child = child->next)
        if (has_expression(child)) return true;
    return false;
}

/* ---- one package --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_template(const char *path, struct rf_arena *arena, struct json_node **out,
                                  struct rf_err *err)
{
    rf_str text;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, TEMPLATE_BYTES_MAX, arena, &text, err));
    if (rf_str_starts(text, RF_S("\xef\xbb\xbf"))) text = rf_slice(text, 3, text.len);
    return json_parse(text, arena, out, err);
}

static struct json_node *make_properties(struct rf_arena *arena, const struct json_node *template,
                                         const struct json_node *from, rf_str id, rf_str version,
                                         rf_str name)
{
    static const char *const copied[] = {"publisherDisplayName",
                                         "descriptionHtml",
                                         "contentSchemaVersion",
                                         "firstPublishDate",
                                         "lastPublishDate",
                                         "icon",
                                         "providers",
                                         "categories",
                                         "support",
                                         "author"};
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    rf_str product =
        rf_arena_printf(arena, "%.*s-sl-%013llx", (int)RF_MIN(id.len, (size_t)ID_BYTES_SHORT),
                        (const char *)id.ptr, (unsigned long long)rf_hash(id.ptr, id.len, 0) >> 12);
    for (size_t i = 0; i < RF_COUNT(copied); i++) {
        const struct json_node *node = json_get(from, copied[i]);
        rf_str text = resolve(template, node);
        if (text.len > 0)
            json_set_text(arena, made, copied[i], text);
        else if (node != NULL && !has_expression(node))
            json_set(arena, made, rf_str_of(copied[i]), json_clone(arena, node));
    }
    json_set_text(arena, made, "contentId", id);
    json_set_text(arena, made, "contentKind", RF_S("Solution"));
    json_set_text(arena, made, "contentProductId", product);
    json_set_text(arena, made, "displayName", name);
    if (product.ptr == NULL || json_set_text(arena, made, "version", version) == NULL) return NULL;
    return json_clone(arena, made); /* with its own texts */
}

/* Adds it, or takes the place of a lower version of the same. */
static void keep(struct catalogue *c, const struct catalogue_package *package)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (!rf_str_eq_nocase(c->packages[i].id, package->id)) continue;
        if (content_version_cmp(c->packages[i].version, package->version) < 0)
            c->packages[i] = *package;
        return;
    }
    if (c->count < PACKAGES_MAX) c->packages[c->count++] = *package;
}

static enum rf_kind add_package(struct catalogue *c, const char *path, struct rf_err *err)
{
    static const char *const ids[] = {"_solutionId", "solutionId", NULL};
    static const char *const versions[] = {"_solutionVersion", "solutionVersion", NULL};
    static const char *const names[] = {"_solutionName", "solutionName", NULL};
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct json_node *template;
    RF_TRY(read_template(path, &scratch, &template, err));
    const struct json_node *from = find_package(template);
    rf_str id = text_of(template, from, "contentId", ids);
    rf_str version = text_of(template, from, "version", versions);
    rf_str name = text_of(template, from, "displayName", names);
    if (name.len == 0) name = text_of(template, from, "source.name", NULL);
    if (from == NULL || id.len == 0)
        return RF_FAIL(err, RF_INVALID, "NotAPackage",
                       "it holds neither contentPackages nor the metadata of a solution");
    if (version.len == 0) version = RF_S("1.0.0");
    struct json_node *properties =
        make_properties(&c->arena, template, from, id, version, name.len > 0 ? name : id);
    const char *kept = rf_arena_cstr(&c->arena, rf_str_of(path));
    if (properties == NULL || kept == NULL) return rf_fail_memory(err, &c->arena);
    keep(c, &(struct catalogue_package){.id = json_text_at(properties, "contentId"),
                                        .version = json_text_at(properties, "version"),
                                        .properties = properties,
                                        .path = kept});
    return RF_OK;
}

/* ---- folders ---------------------------------------------------------------------------------------------------------------------- */

/* True when a package stands there, good or bad. */
static bool try_folder(struct catalogue *c, rf_str folder, struct rf_arena *arena)
{
    static const char *const places[] = {"mainTemplate.json", "Package/mainTemplate.json",
                                         "package/mainTemplate.json"};
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(places); i++) {
        rf_str path = rf_arena_printf(arena, "%.*s/%s%c", RF_FMT(folder), places[i], 0);
        if (path.ptr == NULL) return false;
        enum rf_kind kind = add_package(c, (const char *)path.ptr, &err);
        if (kind == RF_NOT_FOUND || (kind == RF_IO && err.os_errno == ENOTDIR)) continue;
        if (kind != RF_OK)
            rf_log(RF_WARN, "content.package_left_out",
                   RF_KV_STR("path", rf_slice(path, 0, path.len - 1)),
                   RF_KV_STR("text", rf_str_of(err.text)));
        return true;
    }
    return false;
}

static enum rf_kind add_folder(struct catalogue *c, rf_str folder, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CATALOGUE_BYTES_MAX);
    rf_str *names;
    size_t count;
    const char *path = rf_arena_cstr(&arena, folder);
    if (path == NULL) return rf_fail_memory(err, &arena);
    if (try_folder(c, folder, &arena)) return RF_OK;
    RF_TRY(rf_fs_list(rf_fs_real(), path, &arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        rf_str below = rf_arena_printf(&arena, "%.*s/%.*s", RF_FMT(folder), RF_FMT(names[i]));
        if (below.ptr == NULL) return rf_fail_memory(err, &arena);
        (void)try_folder(c, below, &arena);
    }
    return RF_OK;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind catalogue_new(const rf_str *folders, uint32_t folder_count, struct catalogue **out,
                           struct rf_err *err)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (c == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for the catalogue");
    rf_arena_init(&c->arena, CATALOGUE_BYTES_MAX);
    enum rf_kind kind = RF_OK;
    if (folder_count > 0) {
        c->packages = rf_arena_new(&c->arena, struct catalogue_package, PACKAGES_MAX);
        if (c->packages == NULL) kind = rf_fail_memory(err, &c->arena);
    }
    for (uint32_t i = 0; i < folder_count && kind == RF_OK; i++)
        kind = add_folder(c, folders[i], err);
    if (kind != RF_OK) {
        catalogue_free(c);
        return kind;
    }
    *out = c;
    return RF_OK;
}

void catalogue_free(struct catalogue *catalogue)
{
    if (catalogue == NULL) return;
    rf_arena_done(&catalogue->arena);
    free(catalogue);
}

const struct catalogue_package *catalogue_packages(const struct catalogue *catalogue,
                                                   uint32_t *count)
{
    *count = catalogue == NULL ? 0 : catalogue->count;
    return catalogue == NULL ? NULL : catalogue->packages;
}

enum rf_kind catalogue_template(const struct catalogue_package *package, struct rf_arena *arena,
                                struct json_node **out, struct rf_err *err)
{
    return read_template(package->path, arena, out, err);
}
