#include "kql/geo_pieces.h"

#include <math.h>
#include <stdlib.h>

#define NO_VERTEX UINT32_MAX
#define CELL_SIZE                                                                                  \
    (8 * GEO_SNAP) /* of the buckets: a point's neighbours lie in its cell or the next */

/* ---- vertices ------------------------------------------------------------------------------------- */

static uint32_t bucket_of(const struct arrangement *plan, int64_t x, int64_t y, int64_t z)
{
    uint64_t hash = rf_hash_mix(rf_hash_mix((uint64_t)x, (uint64_t)y), (uint64_t)z);
    return (uint32_t)(hash & (plan->bucket_count - 1));
}

static int64_t cell_of(double x) { return (int64_t)floor(x / CELL_SIZE); }

static uint32_t find_in_cell(const struct arrangement *plan, struct geo_vec at, int64_t x,
                             int64_t y, int64_t z)
{
    for (uint32_t v = plan->buckets[bucket_of(plan, x, y, z)]; v != NO_VERTEX; v = plan->next[v]) {
        struct geo_vec off = geo_sub(plan->vertices[v].at, at);
        if (geo_dot(off, off) <= GEO_SNAP * GEO_SNAP) return v;
    }
    return NO_VERTEX;
}

static uint32_t find_vertex(const struct arrangement *plan, struct geo_vec at)
{
    int64_t x_end = cell_of(at.x + GEO_SNAP), y_end = cell_of(at.y + GEO_SNAP),
            z_end = cell_of(at.z + GEO_SNAP);
    for (int64_t x = cell_of(at.x - GEO_SNAP); x <= x_end; x++)
        for (int64_t y = cell_of(at.y - GEO_SNAP); y <= y_end; y++)
            for (int64_t z = cell_of(at.z - GEO_SNAP); z <= z_end; z++) {
                uint32_t found = find_in_cell(plan, at, x, y, z);
                if (found != NO_VERTEX) return found;
            }
    return NO_VERTEX;
}

static void put_in_bucket(struct arrangement *plan, uint32_t vertex)
{
    struct geo_vec at = plan->vertices[vertex].at;
    uint32_t bucket = bucket_of(plan, cell_of(at.x), cell_of(at.y), cell_of(at.z));
    plan->next[vertex] = plan->buckets[bucket];
    plan->buckets[bucket] = vertex;
}

static bool make_buckets(struct arrangement *plan, uint32_t count)
{
    plan->bucket_count = 16;
    while (plan->bucket_count < count && plan->bucket_count < UINT32_C(1) << 30)
        plan->bucket_count *= 2;
    plan->buckets = rf_arena_raw(plan->arena, uint32_t, plan->bucket_count);
    if (plan->buckets == NULL) return false;
    memset(plan->buckets, 0xff, plan->bucket_count * sizeof *plan->buckets);
    for (uint32_t v = 0; v < plan->vertex_count; v++) put_in_bucket(plan, v);
    return true;
}

static bool more_vertices(struct arrangement *plan)
{
    if (plan->vertex_room > UINT32_MAX / 4) return false;
    uint32_t room = plan->vertex_room * 2;
    struct geo_point *vertices = rf_arena_raw(plan->arena, struct geo_point, room);
    uint32_t *next = rf_arena_raw(plan->arena, uint32_t, room);
    if (vertices == NULL || next == NULL) return false;
    memcpy(vertices, plan->vertices, plan->vertex_count * sizeof *vertices);
    plan->vertices = vertices;
    plan->next = next;
    plan->vertex_room = room;
    return make_buckets(plan, room);
}

/* The vertex at `point`, a new one when there is none near; NO_VERTEX on lack of memory. */
static uint32_t vertex_at(struct arrangement *plan, const struct geo_point *point)
{
    uint32_t found = find_vertex(plan, point->at);
    if (found != NO_VERTEX) return found;
    if (plan->vertex_count == plan->vertex_room && !more_vertices(plan)) return NO_VERTEX;
    plan->vertices[plan->vertex_count] = *point;
    put_in_bucket(plan, plan->vertex_count);
    return plan->vertex_count++;
}

/* ---- input ---------------------------------------------------------------------------------------- */

size_t geo_area_points(const struct geo_area *area)
{
    size_t count = 0;
    for (uint32_t i = 0; i < area->count; i++)
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++)
            count += area->polygons[i].rings[r].count;
    return count;
}

size_t geo_lines_points(const struct geo_lines *lines)
{
    size_t count = 0;
    for (uint32_t i = 0; i < lines->count; i++) count += lines->paths[i].count;
    return count;
}

bool geo_pieces_init(struct arrangement *plan, size_t point_count, size_t owner_count,
                     struct rf_arena *arena)
{
    *plan = (struct arrangement){.arena = arena};
    if (point_count > UINT32_MAX / 8 || owner_count > UINT32_MAX / 8) return false;
    plan->vertex_room = (uint32_t)point_count + 16;
    plan->input_room = (uint32_t)point_count;
    plan->owner_room = (uint32_t)owner_count;
    plan->vertices = rf_arena_raw(arena, struct geo_point, plan->vertex_room);
    plan->next = rf_arena_raw(arena, uint32_t, plan->vertex_room);
    plan->inputs = rf_arena_raw(arena, struct input_edge, plan->input_room);
    plan->owners = rf_arena_raw(arena, struct owner, plan->owner_room);
    if (plan->vertices == NULL || plan->next == NULL) return false;
    if (plan->inputs == NULL || plan->owners == NULL) return false;
    return make_buckets(plan, plan->vertex_room);
}

static bool add_edge(struct arrangement *plan, const struct geo_point *from,
                     const struct geo_point *to, uint32_t owner)
{
    RF_ASSERT(plan->input_count < plan->input_room);
    struct input_edge edge = {vertex_at(plan, from), vertex_at(plan, to), owner};
    if (edge.from == NO_VERTEX || edge.to == NO_VERTEX) return false;
    if (edge.from != edge.to) plan->inputs[plan->input_count++] = edge;
    return true;
}

static uint32_t add_owner(struct arrangement *plan, const struct geo_polygon *polygon,
                          uint32_t operand)
{
    RF_ASSERT(plan->owner_count < plan->owner_room);
    plan->owners[plan->owner_count] = (struct owner){polygon, operand};
    return plan->owner_count++;
}

bool geo_pieces_add_area(struct arrangement *plan, const struct geo_area *area, uint32_t operand)
{
    for (uint32_t i = 0; i < area->count; i++) {
        uint32_t owner = add_owner(plan, &area->polygons[i], operand);
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++) {
            const struct geo_ring *ring = &area->polygons[i].rings[r];
            for (uint32_t k = 0; k < ring->count; k++) {
                const struct geo_point *a = &ring->points[k];
                const struct geo_point *b = &ring->points[k + 1 < ring->count ? k + 1 : 0];
                if (!(r == 0 ? add_edge(plan, a, b, owner) : add_edge(plan, b, a, owner)))
                    return false;
            }
        }
    }
    return true;
}

bool geo_pieces_add_lines(struct arrangement *plan, const struct geo_lines *lines, uint32_t operand)
{
    for (uint32_t i = 0; i < lines->count; i++) {
        uint32_t owner = add_owner(plan, NULL, operand);
        const struct geo_path *path = &lines->paths[i];
        for (uint32_t k = 1; k < path->count; k++)
            if (!add_edge(plan, &path->points[k - 1], &path->points[k], owner)) return false;
    }
    return true;
}

/* ---- cutting -------------------------------------------------------------------------------------- */

struct split {
    uint32_t input, vertex;
    double along; /* squared chord from the start of the edge */
};

struct split_list {
    struct arrangement *plan;
    struct split *items;
    uint32_t count, room;
    bool failed;
};

static void split_at(struct split_list *splits, uint32_t input, uint32_t vertex)
{
    struct arrangement *plan = splits->plan;
    if (splits->failed) return;
    if (splits->count == splits->room) {
        uint32_t room = splits->room < 64 ? 64 : splits->room * 2;
        void *grown = NULL;
        if (splits->room <= UINT32_MAX / 4)
            grown = rf_arena_grow(plan->arena, splits->items, splits->room * sizeof *splits->items,
                                  room * sizeof *splits->items);
        if (grown == NULL) {
            splits->failed = true;
            return;
        }
        splits->items = grown;
        splits->room = room;
    }
    struct geo_vec off =
        geo_sub(plan->vertices[vertex].at, plan->vertices[plan->inputs[input].from].at);
    splits->items[splits->count++] = (struct split){input, vertex, geo_dot(off, off)};
}

/* Splits edge `input` at `vertex` when that lies on it. */
static bool touch(struct split_list *splits, uint32_t input, uint32_t vertex)
{
    const struct arrangement *plan = splits->plan;
    const struct input_edge *edge = &plan->inputs[input];
    if (vertex == edge->from || vertex == edge->to) return false;
    struct geo_vec at = plan->vertices[vertex].at;
    struct geo_vec near =
        geo_nearest_on_edge(at, plan->vertices[edge->from].at, plan->vertices[edge->to].at);
    struct geo_vec off = geo_sub(at, near);
    if (geo_dot(off, off) > GEO_SNAP * GEO_SNAP) return false;
    split_at(splits, input, vertex);
    return true;
}

static bool split_pair(void *state, uint32_t first, uint32_t second)
{
    struct split_list *splits = state;
    struct arrangement *plan = splits->plan;
    const struct input_edge *e = &plan->inputs[first], *f = &plan->inputs[second];
    bool touching = touch(splits, first, f->from);
    touching |= touch(splits, first, f->to);
    touching |= touch(splits, second, e->from);
    touching |= touch(splits, second, e->to);
    bool shared = e->from == f->from || e->from == f->to || e->to == f->from || e->to == f->to;
    if (touching || shared) return !splits->failed;

    struct geo_vec a = plan->vertices[e->from].at, b = plan->vertices[e->to].at;
    struct geo_vec c = plan->vertices[f->from].at, d = plan->vertices[f->to].at;
    if (!geo_edges_cross(a, b, c, d)) return true;
    struct geo_point meet = geo_point_at(geo_edges_meet(a, b, c, d));
    uint32_t vertex = vertex_at(plan, &meet);
    if (vertex == NO_VERTEX) return false;
    e = &plan->inputs[first], f = &plan->inputs[second];
    if (vertex != e->from && vertex != e->to) split_at(splits, first, vertex);
    if (vertex != f->from && vertex != f->to) split_at(splits, second, vertex);
    return !splits->failed;
}

static int by_place_on_edge(const void *a, const void *b)
{
    const struct split *p = a, *q = b;
    if (p->input != q->input) return p->input < q->input ? -1 : 1;
    if (p->along != q->along) return p->along < q->along ? -1 : 1;
    return p->vertex < q->vertex ? -1 : p->vertex > q->vertex;
}

static void add_piece(struct arrangement *plan, uint32_t *from, uint32_t to, uint32_t input)
{
    if (*from == to) return;
    plan->pieces[plan->piece_count++] = (struct piece){.from = *from, .to = to, .input = input};
    *from = to;
}

static bool make_pieces(struct arrangement *plan, struct split_list *splits)
{
    plan->pieces =
        rf_arena_raw(plan->arena, struct piece, (size_t)plan->input_count + splits->count);
    if (plan->pieces == NULL) return false;
    if (splits->count > 0)
        qsort(splits->items, splits->count, sizeof *splits->items, by_place_on_edge);
    uint32_t next = 0;
    for (uint32_t input = 0; input < plan->input_count; input++) {
        uint32_t from = plan->inputs[input].from;
        for (; next < splits->count && splits->items[next].input == input; next++)
            add_piece(plan, &from, splits->items[next].vertex, input);
        add_piece(plan, &from, plan->inputs[input].to, input);
    }
    return true;
}

struct group_key {
    uint32_t low, high, piece;
};

static int by_ends(const void *a, const void *b)
{
    const struct group_key *p = a, *q = b;
    if (p->low != q->low) return p->low < q->low ? -1 : 1;
    if (p->high != q->high) return p->high < q->high ? -1 : 1;
    return p->piece < q->piece ? -1 : p->piece > q->piece;
}

static bool make_groups(struct arrangement *plan)
{
    struct group_key *keys = rf_arena_raw(plan->arena, struct group_key, plan->piece_count);
    plan->by_group = rf_arena_raw(plan->arena, uint32_t, plan->piece_count);
    plan->group_start = rf_arena_raw(plan->arena, uint32_t, (size_t)plan->piece_count + 1);
    if (keys == NULL || plan->by_group == NULL || plan->group_start == NULL) return false;
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct piece *piece = &plan->pieces[i];
        keys[i] =
            (struct group_key){RF_MIN(piece->from, piece->to), RF_MAX(piece->from, piece->to), i};
    }
    if (plan->piece_count > 0) qsort(keys, plan->piece_count, sizeof *keys, by_ends);
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        bool fresh = i == 0 || keys[i].low != keys[i - 1].low || keys[i].high != keys[i - 1].high;
        if (fresh) plan->group_start[plan->group_count++] = i;
        plan->by_group[i] = keys[i].piece;
        plan->pieces[keys[i].piece].group = plan->group_count - 1;
    }
    plan->group_start[plan->group_count] = plan->piece_count;
    return true;
}

bool geo_cut(struct arrangement *plan)
{
    struct geo_edge *edges = rf_arena_raw(plan->arena, struct geo_edge, plan->input_count);
    if (edges == NULL) return false;
    for (uint32_t i = 0; i < plan->input_count; i++)
        edges[i] = (struct geo_edge){plan->vertices[plan->inputs[i].from].at,
                                     plan->vertices[plan->inputs[i].to].at};
    struct split_list splits = {.plan = plan};
    bool stopped;
    if (!geo_edge_pairs(edges, plan->input_count, GEO_SNAP, plan->arena, split_pair, &splits,
                        &stopped))
        return false;
    return !stopped && !splits.failed && make_pieces(plan, &splits) && make_groups(plan);
}
