#include "base/yaml_tree.h"

#include <yaml.h>

#include "base/json.h"

struct loader {
    yaml_parser_t parser;
    struct rf_arena *arena;
    struct rf_err *err;
    struct json_node *open[YAML_TREE_DEPTH_MAX]; /* containers around the present place */
    rf_str key[YAML_TREE_DEPTH_MAX];             /* object: the key read last */
    bool has_key[YAML_TREE_DEPTH_MAX];
    uint32_t depth, node_count;
    struct json_node *root;
    bool texts; /* yaml_parse_texts */
};

/* The kind stands in the macro so that analyzers see that it is not RF_OK. */
#define fail_at(l, mark, kind, code, ...)                                                          \
    ((void)rf_fail((l)->err, (kind), (code), __VA_ARGS__), note_place((l), (mark)), (kind))
static void note_place(struct loader *l, const yaml_mark_t *mark)
{
    if (l->err == NULL) return;
    l->err->line = (uint32_t)mark->line + 1;
    l->err->column = (uint32_t)mark->column + 1;
}

static bool is_number(rf_str text)
{
    struct json_reader reader;
    struct json_event event;
    json_reader_init(&reader, text);
    return json_next(&reader, &event, NULL) == RF_OK && event.kind == JSON_NUMBER &&
           event.text.len == text.len;
}

static enum json_type plain_type(rf_str text)
{
    if (text.len == 0 || rf_str_is(text, "~") || rf_str_is(text, "null")) return JSON_T_NULL;
    if (rf_str_is(text, "true")) return JSON_T_TRUE;
    if (rf_str_is(text, "false")) return JSON_T_FALSE;
    return is_number(text) ? JSON_T_NUMBER : JSON_T_STRING;
}

/* Puts a node where the document stands. */
static enum rf_kind place(struct loader *l, struct json_node *node, const yaml_mark_t *mark)
{
    if (l->depth == 0) {
        l->root = node;
        return RF_OK;
    }
    uint32_t at = l->depth - 1;
    struct json_node *parent = l->open[at];
    if (parent->type == JSON_T_ARRAY) {
        (void)json_append(parent, node);
        return RF_OK;
    }
    l->has_key[at] = false;
    if (l->texts) {
        /* Not json_set, which looks through all members: nobody bounds how many a stranger's file has. */
        parent->type = JSON_T_ARRAY;
        (void)json_append(parent, node);
        parent->type = JSON_T_OBJECT;
        node->name = l->key[at];
        return RF_OK;
    }
    if (json_get_str(parent, l->key[at]) != NULL)
        return fail_at(l, mark, RF_INVALID, "BadYaml", "the key '%.*s' comes twice",
                       RF_FMT(l->key[at]));
    return json_set(l->arena, parent, l->key[at], node) == NULL ? rf_fail_memory(l->err, l->arena)
                                                                : RF_OK;
}

static enum rf_kind new_node(struct loader *l, const yaml_event_t *event, enum json_type type,
                             struct json_node **out)
{
    if (l->node_count++ >= YAML_TREE_NODES_MAX)
        return fail_at(l, &event->start_mark, RF_LIMIT, "YamlTooLarge", "more than %d values",
                       YAML_TREE_NODES_MAX);
    *out = json_new(l->arena, type);
    if (*out == NULL) return rf_fail_memory(l->err, l->arena);
    (*out)->line = (uint32_t)event->start_mark.line + 1;
    return RF_OK;
}

static enum rf_kind take_scalar(struct loader *l, const yaml_event_t *event)
{
    struct json_node *node;
    rf_str text;
    yaml_scalar_style_t style = event->data.scalar.style;
    if (event->data.scalar.tag != NULL && !l->texts)
        return fail_at(l, &event->start_mark, RF_INVALID, "BadYaml", "tags are not understood");
    if (!rf_arena_str(l->arena, rf_str_make(event->data.scalar.value, event->data.scalar.length),
                      &text))
        return rf_fail_memory(l->err, l->arena);
    if (l->depth > 0 && l->open[l->depth - 1]->type == JSON_T_OBJECT && !l->has_key[l->depth - 1]) {
        l->key[l->depth - 1] = text;
        l->has_key[l->depth - 1] = true;
        return RF_OK;
    }
    bool plain = style == YAML_PLAIN_SCALAR_STYLE && !l->texts;
    bool block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    enum json_type type = plain ? plain_type(text) : JSON_T_STRING;
    RF_TRY(new_node(l, event, type, &node));
    if (block && l->texts) node->line++;
    if (type == JSON_T_NUMBER || type == JSON_T_STRING) node->text = text;
    return place(l, node, &event->start_mark);
}

static enum rf_kind open_container(struct loader *l, const yaml_event_t *event, enum json_type type)
{
    struct json_node *node;
    if (l->depth == YAML_TREE_DEPTH_MAX)
        return fail_at(l, &event->start_mark, RF_LIMIT, "YamlTooDeep",
                       "values are nested more than %d deep", YAML_TREE_DEPTH_MAX);
    if (l->depth > 0 && l->open[l->depth - 1]->type == JSON_T_OBJECT && !l->has_key[l->depth - 1])
        return fail_at(l, &event->start_mark, RF_INVALID, "BadYaml", "a key must be a text");
    RF_TRY(new_node(l, event, type, &node));
    RF_TRY(place(l, node, &event->start_mark));
    l->has_key[l->depth] = false;
    l->open[l->depth++] = node;
    return RF_OK;
}

static enum rf_kind take_event(struct loader *l, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (l->root != NULL)
            return fail_at(l, &event->start_mark, RF_INVALID, "BadYaml",
                           "a second document begins");
        return RF_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(l, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(l, event, JSON_T_ARRAY);
    case YAML_MAPPING_START_EVENT:
        return open_container(l, event, JSON_T_OBJECT);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        l->depth--;
        return RF_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(l, &event->start_mark, RF_INVALID, "BadYaml", "aliases are not understood");
    default:
        return RF_OK;
    }
}

static enum rf_kind load(struct loader *l)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        if (yaml_parser_parse(&l->parser, &event) == 0) {
            if (l->parser.error == YAML_MEMORY_ERROR)
                return RF_FAIL(l->err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to read YAML");
            return fail_at(l, &l->parser.problem_mark, RF_INVALID, "BadYaml", "%s",
                           l->parser.problem == NULL ? "this is not YAML" : l->parser.problem);
        }
        end = event.type == YAML_STREAM_END_EVENT ||
              (l->texts && event.type == YAML_DOCUMENT_END_EVENT);
        enum rf_kind kind = take_event(l, &event);
        yaml_event_delete(&event);
        RF_TRY(kind);
    }
    return RF_OK;
}

static enum rf_kind parse(rf_str text, bool texts, struct rf_arena *arena, struct json_node **out,
                          struct rf_err *err)
{
    struct loader l = {.arena = arena, .err = err, .texts = texts};
    if (yaml_parser_initialize(&l.parser) == 0)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to read YAML");
    yaml_parser_set_input_string(&l.parser, text.ptr, text.len);
    enum rf_kind kind = load(&l);
    yaml_parser_delete(&l.parser);
    RF_TRY(kind);
    *out = l.root == NULL ? json_new(arena, JSON_T_NULL) : l.root;
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind yaml_parse(rf_str text, struct rf_arena *arena, struct json_node **out,
                        struct rf_err *err)
{
    return parse(text, false, arena, out, err);
}

enum rf_kind yaml_parse_texts(rf_str text, struct rf_arena *arena, struct json_node **out,
                              struct rf_err *err)
{
    return parse(text, true, arena, out, err);
}
