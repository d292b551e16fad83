/* cli_secret_diff.c - two versions of a secret beside each other. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/cli_secret.h"
#include "cli/cli_text.h"
#include "crypt/digest.h"

enum { LINES_MAX = 30000, CELLS_MAX = 4 << 20 };

/* ---- lines ------------------------------------------------------------------------------------------------------------ */

struct lines {
    rf_str *items;
    size_t count;
};

static bool split(rf_str text, struct rf_arena *arena, struct lines *out)
{
    size_t count = 0;
    for (size_t at = 0; at < text.len; count++)
        at = RF_MIN(rf_str_find(text, RF_S("\n"), at), text.len) + 1;
    *out = (struct lines){.items = rf_arena_new(arena, rf_str, count), .count = count};
    if (out->items == NULL) return false;
    for (size_t at = 0, i = 0; at < text.len; i++) {
        size_t to = RF_MIN(rf_str_find(text, RF_S("\n"), at), text.len);
        out->items[i] = rf_slice(text, at, to);
        at = to + 1;
    }
    return true;
}

static void put(struct rf_buf *out, char mark, rf_str line)
{
    rf_buf_byte(out, (uint8_t)mark);
    (void)cli_text_put(out, line, UINT32_MAX);
    rf_buf_byte(out, '\n');
}

/* length[i][k]: of the longest common part of a from i and b from k. */
static void walk(const struct lines *a, const struct lines *b, uint32_t *length, size_t wide,
                 struct rf_buf *out)
{
    size_t i = 0, k = 0;
    while (i < a->count || k < b->count) {
        if (i < a->count && k < b->count && rf_str_eq(a->items[i], b->items[k])) {
            put(out, ' ', a->items[i++]);
            k++;
        } else if (i < a->count &&
                   (k == b->count || length[(i + 1) * wide + k] >= length[i * wide + k + 1])) {
            put(out, '-', a->items[i++]);
        } else {
            put(out, '+', b->items[k++]);
        }
    }
}

void cli_secret_lines(rf_str a_text, rf_str b_text, struct rf_arena *arena, struct rf_buf *out)
{
    struct lines a, b;
    if (!split(a_text, arena, &a) || !split(b_text, arena, &b)) {
        out->failed = true;
        return;
    }
    size_t wide = b.count + 1;
    if (a.count > LINES_MAX || b.count > LINES_MAX || (a.count + 1) * wide > CELLS_MAX) {
        for (size_t i = 0; i < a.count; i++) put(out, '-', a.items[i]);
        for (size_t i = 0; i < b.count; i++) put(out, '+', b.items[i]);
        return;
    }
    uint32_t *length = rf_arena_new(arena, uint32_t, (a.count + 1) * wide);
    if (length == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = a.count; i-- > 0;)
        for (size_t k = b.count; k-- > 0;)
            length[i * wide + k] =
                rf_str_eq(a.items[i], b.items[k])
                    ? length[(i + 1) * wide + k + 1] + 1
                    : RF_MAX(length[(i + 1) * wide + k], length[i * wide + k + 1]);
    walk(&a, &b, length, wide, out);
}

/* ---- versions ----------------------------------------------------------------------------------------------------------- */

/* The two newest of the list. */
static enum rf_kind latest_two(struct cli_vault *v, struct json_node **a, struct json_node **b,
                               struct rf_err *err)
{
    rf_str path;
    struct json_node *list, *rest;
    RF_TRY(cli_vault_path(v->arena, "secrets", rf_str_of(v->words[0]), (rf_str){NULL, 0},
                          "/versions", &path, err));
    RF_TRY(cli_vault_pages(&v->at, path, &list, err));
    *b = cli_vault_newest(list);
    rest = json_new(v->arena, JSON_T_ARRAY);
    for (struct json_node *s = list->first, *next; s != NULL && rest != NULL; s = next) {
        next = s->next;
        s->next = NULL;
        if (s != *b) (void)json_append(rest, s);
    }
    if (rest == NULL) return rf_fail_memory(err, v->arena);
    *a = cli_vault_newest(rest);
    if (*a != NULL) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "SecretNotFound", "'%s' has no two versions", v->words[0]);
}

static rf_str shown(const struct json_node *node, struct rf_arena *arena)
{
    if (node == NULL) return RF_S("-");
    if (node->type == JSON_T_STRING) return node->text;
    return json_to_text(arena, node);
}

static void compare(struct cli_vault *v, const char *path, bool time, const struct json_node *a,
                    const struct json_node *b)
{
    const struct json_node *one = json_at(a, path), *other = json_at(b, path);
    int64_t before = 0, after = 0;
    if (one == other || (one != NULL && other != NULL && json_equal(one, other))) return;
    rf_str left = shown(one, v->arena), right = shown(other, v->arena);
    if (time && json_i64_at(a, path, &before)) left = cli_vault_iso(v->arena, before);
    if (time && json_i64_at(b, path, &after)) right = cli_vault_iso(v->arena, after);
    printf("%s: ", path);
    (void)cli_text_print(stdout, left, UINT32_MAX);
    fputs(" -> ", stdout);
    (void)cli_text_print(stdout, right, UINT32_MAX);
    putchar('\n');
}

static enum rf_kind compare_values(struct cli_vault *v, rf_str a, rf_str b, bool show,
                                   struct rf_err *err)
{
    struct json_node *one, *other;
    rf_str name = rf_str_of(v->words[0]);
    RF_TRY(cli_vault_secret(&v->at, name, a, &one, err));
    RF_TRY(cli_vault_secret(&v->at, name, b, &other, err));
    rf_str left = json_text_at(one, "value"), right = json_text_at(other, "value");
    bool same = left.len == right.len && secret_equal(left, right);
    printf("value: %s\n", same ? "the same" : "differs");
    if (same || !show) return RF_OK;
    struct rf_buf out = rf_buf_in(v->arena);
    cli_secret_lines(left, right, v->arena, &out);
    if (out.failed) return rf_fail_memory(err, v->arena);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return RF_OK;
}

enum rf_kind cli_secret_diff(struct cli_vault *v, bool show, struct rf_err *err)
{
    static const struct {
        const char *path;
        bool time;
    } members[] = {{"contentType", false},       {"attributes.enabled", false},
                   {"attributes.created", true}, {"attributes.nbf", true},
                   {"attributes.exp", true},     {"tags", false}};
    struct json_node *a = NULL, *b = NULL;
    rf_str name = rf_str_of(v->words[0]), versions[2], own;
    if (v->word_count == 2) return cli_vault_wrong(v, err, "two versions, or none");
    if (v->word_count == 1)
        RF_TRY(latest_two(v, &a, &b, err));
    else {
        RF_TRY(cli_secret_meta(v, name, rf_str_of(v->words[1]), &a, err));
        RF_TRY(cli_secret_meta(v, name, rf_str_of(v->words[2]), &b, err));
    }
    cli_vault_id(a, &own, &versions[0]);
    cli_vault_id(b, &own, &versions[1]);
    printf("version: %.*s -> %.*s\n", RF_FMT(versions[0]), RF_FMT(versions[1]));
    for (size_t i = 0; i < RF_COUNT(members); i++)
        compare(v, members[i].path, members[i].time, a, b);
    return compare_values(v, versions[0], versions[1], show, err);
}
