#include "authz/route_tree_int.h"
#include "test/rf_prop.h"

static enum rf_kind nothing(struct request *request, struct rf_err *err)
{
    (void)request, (void)err;
    return RF_OK;
}

#define R(m, p)                                                                                    \
    {                                                                                              \
        .method = HTTP_##m, .path = p, .access = ROUTE_OPEN, .why_open = "t", .run = nothing       \
    }
static const struct route routes[] = {
    R(GET, "/"),
    R(GET, "/users"),
    R(GET, "/users/{id}"),
    R(GET, "/users/me"),
    R(GET, "/users(name='{name}')"),
    R(GET, "/users/{id}/photo"),
    R(GET, "/subscriptions/{s}/{rest*}"),
    R(PUT, "/subscriptions/{s}/{rest*}"),
    R(GET, "/subscriptions/{s}/resourceGroups/{g}"),
    R(GET, "/subscriptions/{s}/providers/Microsoft.Authorization/locks"),
    R(GET, "/subscriptions/{s}/resourceGroups/{g}/providers/{ns}/{type}/{name}"),
    R(GET, "/{scope*}/providers/Microsoft.Authorization/locks"),
    R(GET, "/{scope*}/providers/Microsoft.Authorization/locks/{name}"),
    R(HEAD, "/{scope*}/providers/Microsoft.Authorization/locks/{name}"),
    R(GET, "/{scope*}/providers/Microsoft.Insights/{rest*}"),
    {.method = HTTP_GET,
     .path = "/{scope*}/query",
     .access = ROUTE_OPEN,
     .why_open = "t",
     .run = nothing,
     .unless = "api-version"},
};
static const struct service service = {
    .name = "test", .routes = routes, .route_count = RF_COUNT(routes)};

static struct route_tree *tree_of(const struct route *list, size_t count)
{
    struct rf_err err;
    struct route_tree *tree = route_tree_new();
    for (size_t i = 0; i < count; i++)
        cr_assert(route_tree_add(tree, &list[i], &service, &err) == RF_OK, "%s", err.text);
    return tree;
}

/* "pattern name=value ..." of the route found; "" when there is none. */
static rf_str find(const struct route_tree *tree, enum http_method method, rf_str target,
                   struct rf_arena *arena)
{
    struct path path;
    struct route_found found;
    struct route_variable variables[ROUTE_VARIABLES_MAX];
    uint32_t count;
    struct rf_err err;
    size_t mark = rf_str_find(target, RF_S("?"), 0);
    rf_str query = mark == SIZE_MAX ? (rf_str){0} : rf_slice(target, mark + 1, target.len);
    if (path_parse(rf_slice(target, 0, RF_MIN(mark, target.len)), arena, &path, &err) != RF_OK)
        return RF_S("");
    route_tree_find(tree, &path, query, method, &found);
    if (found.route == NULL) return RF_S("");
    cr_assert(route_bind(&found, &path, arena, variables, &count, &err) == RF_OK);
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf, "%s", found.route->path);
    for (uint32_t i = 0; i < count; i++)
        rf_buf_printf(&buf, " %.*s=%.*s", RF_FMT(variables[i].name), RF_FMT(variables[i].value));
    return rf_buf_view(&buf);
}

Test(route_tree, finds_the_route_that_names_most)
{
    static const struct {
        enum http_method method;
        const char *target, *found;
    } table[] = {
        {HTTP_GET, "/", "/"},
        {HTTP_GET, "//", "/"},
        {HTTP_GET, "/users", "/users"},
        {HTTP_GET, "/Users/ME", "/users/me"},
        {HTTP_GET, "/users/mee", "/users/{id} id=mee"},
        {HTTP_GET, "/users/me/photo", "/users/{id}/photo id=me"},
        {HTTP_GET, "/users(name='a')", "/users(name='{name}') name=a"},
        {HTTP_GET, "/users(name=%27a%20b%27)", "/users(name='{name}') name=a b"},
        {HTTP_GET, "/users(name='')", ""},
        {HTTP_GET, "/users(name='a'", ""},
        {HTTP_GET, "/subscriptions/s", ""},
        {HTTP_GET, "/subscriptions/s/a/b%20c/d", "/subscriptions/{s}/{rest*} s=s rest=a/b c/d"},
        {HTTP_GET, "/subscriptions/s/resourcegroups/g",
         "/subscriptions/{s}/resourceGroups/{g} s=s g=g"},
        {HTTP_PUT, "/subscriptions/s/resourcegroups/g",
         "/subscriptions/{s}/{rest*} s=s rest=resourcegroups/g"},
        {HTTP_DELETE, "/subscriptions/s/resourcegroups/g", ""},
        {HTTP_GET, "/subscriptions/s/providers/microsoft.authorization/locks",
         "/subscriptions/{s}/providers/Microsoft.Authorization/locks s=s"},
        {HTTP_GET, "/providers/Microsoft.Authorization/locks",
         "/{scope*}/providers/Microsoft.Authorization/locks scope="},
        {HTTP_GET, "/subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/locks/l",
         "/{scope*}/providers/Microsoft.Authorization/locks/{name} "
         "scope=subscriptions/s/resourceGroups/g name=l"},
        {HTTP_GET, "/subscriptions/s/resourceGroups/g/providers/Microsoft.Other/locks/l",
         "/subscriptions/{s}/resourceGroups/{g}/providers/{ns}/{type}/{name} s=s g=g "
         "ns=Microsoft.Other type=locks name=l"},
        {HTTP_GET,
         "/subscriptions/s/providers/Microsoft.Authorization/locks/l/providers/"
         "Microsoft.Authorization/locks/m/",
         "/{scope*}/providers/Microsoft.Authorization/locks/{name} "
         "scope=subscriptions/s/providers/Microsoft.Authorization/locks/l name=m"},
        {HTTP_GET, "/a/providers/Microsoft.Insights/b/providers/Microsoft.Insights/c/d",
         "/{scope*}/providers/Microsoft.Insights/{rest*} "
         "scope=a/providers/Microsoft.Insights/b rest=c/d"},
        {HTTP_GET, "/subscriptions/s/things/query", "/{scope*}/query scope=subscriptions/s/things"},
        {HTTP_GET, "/subscriptions/s/things/query?x=1&API%2dversion=2",
         "/subscriptions/{s}/{rest*} s=s rest=things/query"},
        {HTTP_GET, "/query", "/{scope*}/query scope="},
        {HTTP_GET, "/query?api-version", ""},
        {HTTP_GET, "/query?api-versionx=1", "/{scope*}/query scope="},
        {HTTP_GET, "/users/..", ""},
        {HTTP_GET, "/users//me", ""},
        {HTTP_GET, "/users/me//", ""},
        {HTTP_GET, "/s/providers/A.b//c/d/providers/Microsoft.Authorization/locks",
         "/{scope*}/providers/Microsoft.Authorization/locks scope=s/providers/A.b/c/d"},
    };
    struct route_tree *tree = tree_of(routes, RF_COUNT(routes));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        rf_str got = find(tree, table[i].method, rf_str_of(table[i].target), &arena);
        cr_assert(rf_str_is(got, table[i].found), "%s: %.*s", table[i].target, RF_FMT(got));
    }
    route_tree_free(tree);
}

Test(route_tree, a_path_has_its_limits)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    struct path path;
    struct rf_err err;
    for (int i = 0; i < PATH_SEGMENTS_MAX; i++) rf_buf_str(&buf, RF_S("/a"));
    cr_assert(path_parse(rf_buf_view(&buf), &arena, &path, &err) == RF_OK);
    cr_assert(path.count == PATH_SEGMENTS_MAX);
    rf_buf_str(&buf, RF_S("/a"));
    cr_assert(path_parse(rf_buf_view(&buf), &arena, &path, &err) == RF_INVALID);
    cr_assert(path_parse(RF_S("a"), &arena, &path, &err) == RF_INVALID);
    cr_assert(path_parse(RF_S(""), &arena, &path, &err) == RF_INVALID);
    struct route_variable *parameters;
    uint32_t count;
    buf.len = 0;
    for (int i = 0; i < QUERY_PARAMETERS_MAX; i++) rf_buf_str(&buf, RF_S("a&"));
    buf.len--;
    cr_assert(query_parse(rf_buf_view(&buf), &arena, &parameters, &count, &err) == RF_OK);
    cr_assert(count == QUERY_PARAMETERS_MAX);
    rf_buf_str(&buf, RF_S("&a"));
    cr_assert(query_parse(rf_buf_view(&buf), &arena, &parameters, &count, &err) == RF_INVALID);
}

/* ---- against a slow search --------------------------------------------------------------------------------- */

/* A pattern from the front as text: 'a' to 'c' are literals, '1' is one segment, '*' (last) the rest. The best match has a
 * literal where another has a variable, from the front on; a variable beats the rest. */
static bool model_matches(const char *pattern, const char *path)
{
    for (; *pattern != '\0'; pattern++, path++) {
        if (*pattern == '*') return *path != '\0';
        if (*path == '\0' || (*pattern != '1' && *pattern != *path)) return false;
    }
    return *path == '\0';
}

static int rank(char c) { return c == '*' ? 0 : c == '1' ? 1 : 2; }

static bool model_is_better(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if (rank(*a) != rank(*b)) return rank(*a) > rank(*b);
    return false;
}

static const char *spell(struct rf_arena *arena, const char *letters)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (const char *c = letters; *c != '\0'; c++) {
        if (*c == '*')
            rf_buf_printf(&buf, "/{r*}");
        else if (*c == '1')
            rf_buf_printf(&buf, "/{v%d}", (int)(c - letters));
        else
            rf_buf_printf(&buf, "/%c", *c);
    }
    if (buf.len == 0) rf_buf_byte(&buf, '/');
    rf_buf_byte(&buf, 0);
    return (const char *)buf.ptr;
}

RF_PROP(route_tree_finds_what_a_slow_search_finds, 2000)
{
    enum { PATTERNS = 12 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    char patterns[PATTERNS][8];
    struct route list[PATTERNS];
    size_t count = 0;
    struct rf_err err;
    struct route_tree *tree = route_tree_new();
    for (int i = 0; i < PATTERNS; i++) {
        size_t len = rf_test_below(prng, 5);
        for (size_t k = 0; k < len; k++) patterns[count][k] = "ab1"[rf_test_below(prng, 3)];
        if (len > 1 && rf_test_one_in(prng, 3)) patterns[count][len - 1] = '*';
        patterns[count][len] = '\0';
        list[count] = (struct route)R(GET, "");
        list[count].path = spell(&arena, patterns[count]);
        if (route_tree_add(tree, &list[count], &service, &err) == RF_OK) count++;
    }
    for (int i = 0; i < 40; i++) {
        char letters[8] = "";
        size_t len = rf_test_below(prng, 6);
        for (size_t k = 0; k < len; k++) letters[k] = "abc"[rf_test_below(prng, 3)];
        const char *best = NULL;
        for (size_t k = 0; k < count; k++)
            if (model_matches(patterns[k], letters) &&
                (best == NULL || model_is_better(patterns[k], best)))
                best = patterns[k];
        struct path path;
        struct route_found found;
        cr_assert(path_parse(rf_str_of(spell(&arena, letters)), &arena, &path, &err) == RF_OK);
        route_tree_find(tree, &path, (rf_str){0}, HTTP_GET, &found);
        cr_assert((found.route == NULL) == (best == NULL));
        if (best != NULL) cr_assert(strcmp(found.route->path, spell(&arena, best)) == 0);
    }
    route_tree_free(tree);
}
