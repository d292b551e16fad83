#include "kql/geo_overlay.h"

#include <math.h>
#include <stdlib.h>

#include "kql/geo_pieces.h"

#define NONE UINT32_MAX

static bool start(struct arrangement *plan, const struct geo_area *const areas[2],
                  const struct geo_lines *const lines[2], struct rf_arena *arena)
{
    size_t points = 0, owners = 0;
    for (int i = 0; i < 2; i++) {
        if (areas[i] != NULL) points += geo_area_points(areas[i]), owners += areas[i]->count;
        if (lines[i] != NULL) points += geo_lines_points(lines[i]), owners += lines[i]->count;
    }
    if (!geo_pieces_init(plan, points, owners, arena)) return false;
    for (uint32_t i = 0; i < 2; i++) {
        if (areas[i] != NULL && !geo_pieces_add_area(plan, areas[i], i)) return false;
        if (lines[i] != NULL && !geo_pieces_add_lines(plan, lines[i], i)) return false;
    }
    return geo_cut(plan);
}

/* ---- what lies beside a piece --------------------------------------------------------------------- */

/* For each operand: is its area to the left and to the right of a group, seen from the lower vertex? */
struct sides {
    bool left[2], right[2];
};

/* Computes the sides of all groups. Asking every polygon about every piece would cost the product of
 * their sizes, so what the polygons that have no part in a piece say is kept from one piece to the next,
 * as long as no other polygon's border comes to the vertex between them. */
struct surveyor {
    const struct arrangement *plan;
    uint64_t *vertex_owners, *group_owners; /* a hash of the set of owners with pieces there */
    int32_t *along;      /* per owner: pieces of a group forward minus backward */
    uint8_t *part;       /* per owner: has it a piece in the group? */
    struct sides *sides; /* per group */
    uint8_t *done;
};

/* Adds each owner once to the sets: pieces are in the order of their owners, so it is enough to know the
 * owner added last. */
static bool collect_owners(struct surveyor *survey)
{
    const struct arrangement *plan = survey->plan;
    uint32_t *vertex_last = rf_arena_new(plan->arena, uint32_t, plan->vertex_count);
    uint32_t *group_last = rf_arena_new(plan->arena, uint32_t, plan->group_count);
    if (vertex_last == NULL || group_last == NULL) return false;
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct piece *piece = &plan->pieces[i];
        uint32_t owner = plan->inputs[piece->input].owner + 1, ends[2] = {piece->from, piece->to};
        uint64_t hash = rf_hash_u64(owner);
        for (int e = 0; e < 2; e++) {
            if (vertex_last[ends[e]] != owner) survey->vertex_owners[ends[e]] += hash;
            vertex_last[ends[e]] = owner;
        }
        if (group_last[piece->group] != owner) survey->group_owners[piece->group] += hash;
        group_last[piece->group] = owner;
    }
    return true;
}

static struct geo_vec piece_middle(const struct arrangement *plan, const struct piece *piece)
{
    return geo_unit(geo_add(plan->vertices[piece->from].at, plan->vertices[piece->to].at));
}

/* Which operands cover the middle of a group by polygons that have no part in it. */
static void ask_others(const struct surveyor *survey, const struct piece *piece, bool covered[2])
{
    const struct arrangement *plan = survey->plan;
    struct geo_vec middle = piece_middle(plan, piece);
    covered[0] = covered[1] = false;
    for (uint32_t owner = 0; owner < plan->owner_count; owner++) {
        const struct owner *of = &plan->owners[owner];
        if (of->polygon == NULL || covered[of->operand] || survey->part[owner]) continue;
        covered[of->operand] = geo_polygon_contains(of->polygon, middle);
    }
}

/* Adds what a polygon that has a part in the group says. */
static void ask_owner(const struct surveyor *survey, const struct piece *piece, uint32_t owner,
                      struct sides *sides)
{
    const struct arrangement *plan = survey->plan;
    const struct owner *of = &plan->owners[owner];
    int32_t along = survey->along[owner];
    if (of->polygon == NULL) return;
    sides->left[of->operand] |= along > 0;
    sides->right[of->operand] |= along < 0;
    if (along != 0) return;
    /* A border that runs to and fro is none. The middle lies on it, so look a little to either side,
     * but beyond what snapping may have moved. */
    uint32_t low = RF_MIN(piece->from, piece->to), high = RF_MAX(piece->from, piece->to);
    struct geo_vec middle = piece_middle(plan, piece);
    struct geo_vec left = geo_unit(geo_normal(plan->vertices[low].at, plan->vertices[high].at));
    left = geo_scale(left, 16 * GEO_SNAP);
    sides->left[of->operand] |= geo_polygon_contains(of->polygon, geo_unit(geo_add(middle, left)));
    sides->right[of->operand] |= geo_polygon_contains(of->polygon, geo_unit(geo_sub(middle, left)));
}

static void survey_group(struct surveyor *survey, const struct piece *piece, bool known,
                         bool covered[2])
{
    const struct arrangement *plan = survey->plan;
    uint32_t from = plan->group_start[piece->group], to = plan->group_start[piece->group + 1];
    for (uint32_t i = from; i < to; i++) {
        const struct piece *each = &plan->pieces[plan->by_group[i]];
        uint32_t owner = plan->inputs[each->input].owner;
        survey->part[owner] = 1;
        survey->along[owner] += each->from < each->to ? 1 : -1;
    }
    if (!known) ask_others(survey, piece, covered);
    struct sides *sides = &survey->sides[piece->group];
    *sides = (struct sides){{covered[0], covered[1]}, {covered[0], covered[1]}};
    for (uint32_t i = from; i < to; i++) {
        uint32_t owner = plan->inputs[plan->pieces[plan->by_group[i]].input].owner;
        if (survey->part[owner]) ask_owner(survey, piece, owner, sides);
        survey->part[owner] = 0;
        survey->along[owner] = 0;
    }
    survey->done[piece->group] = 1;
}

/* The sides of each group, or NULL on lack of memory. */
static const struct sides *survey_sides(const struct arrangement *plan)
{
    struct rf_arena *arena = plan->arena;
    struct surveyor survey = {.plan = plan};
    survey.vertex_owners = rf_arena_new(arena, uint64_t, plan->vertex_count);
    survey.group_owners = rf_arena_new(arena, uint64_t, plan->group_count);
    survey.along = rf_arena_new(arena, int32_t, plan->owner_count);
    survey.part = rf_arena_new(arena, uint8_t, plan->owner_count);
    survey.sides = rf_arena_new(arena, struct sides, plan->group_count);
    survey.done = rf_arena_new(arena, uint8_t, plan->group_count);
    if (survey.vertex_owners == NULL || survey.group_owners == NULL || survey.along == NULL)
        return NULL;
    if (survey.part == NULL || survey.sides == NULL || survey.done == NULL) return NULL;
    if (!collect_owners(&survey)) return NULL;
    bool covered[2] = {false, false}, kept = false; /* what the others said of the piece before */
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct piece *piece = &plan->pieces[i], *before = &plan->pieces[i - (i > 0)];
        if (survey.done[piece->group]) {
            kept = false;
            continue;
        }
        uint64_t owners = survey.group_owners[piece->group];
        bool known = kept && before->to == piece->from &&
                     owners == survey.vertex_owners[piece->from] &&
                     owners == survey.group_owners[before->group];
        survey_group(&survey, piece, known, covered);
        kept = true;
    }
    return survey.sides;
}

/* ---- joining pieces to rings ---------------------------------------------------------------------- */

/* An edge of the result, its area to the left. */
struct kept {
    uint32_t from, to;
    uint32_t order; /* number of the input edge it comes from */
};

struct joiner {
    const struct arrangement *plan;
    struct kept *edges; /* sorted by `from` */
    uint32_t count;
    uint32_t *first; /* per vertex: first edge that starts there; vertex_count + 1 entries */
    uint8_t *used;
    uint32_t *walk; /* edges of the way that goes on */
    uint32_t walk_count;
    uint32_t *place; /* per vertex: its place on the walk, or NONE */
    struct joined_ring *rings;
    uint32_t ring_count;
};

/* A ring and the input edge it begins with; rings come out in the order of these. */
struct joined_ring {
    struct geo_ring ring;
    uint32_t order;
};

static int by_order(const void *a, const void *b)
{
    const struct joined_ring *p = a, *q = b;
    return p->order < q->order ? -1 : p->order > q->order;
}

static int by_from(const void *a, const void *b)
{
    const struct kept *p = a, *q = b;
    if (p->from != q->from) return p->from < q->from ? -1 : 1;
    return p->order < q->order ? -1 : p->order > q->order;
}

static bool joiner_init(struct joiner *join, const struct arrangement *plan, struct kept *edges,
                        uint32_t count)
{
    struct rf_arena *arena = plan->arena;
    *join = (struct joiner){.plan = plan, .edges = edges, .count = count};
    join->first = rf_arena_new(arena, uint32_t, (size_t)plan->vertex_count + 1);
    join->used = rf_arena_new(arena, uint8_t, count);
    join->walk = rf_arena_raw(arena, uint32_t, count);
    join->place = rf_arena_raw(arena, uint32_t, plan->vertex_count);
    join->rings = rf_arena_new(arena, struct joined_ring, (size_t)count / 3 + 1);
    if (join->first == NULL || join->used == NULL || join->walk == NULL) return false;
    if (join->place == NULL || join->rings == NULL) return false;
    if (count > 0) qsort(edges, count, sizeof *edges, by_from);
    for (uint32_t i = 0; i < count; i++) join->first[edges[i].from + 1]++;
    for (uint32_t v = 0; v < plan->vertex_count; v++) {
        join->first[v + 1] += join->first[v];
        join->place[v] = NONE;
    }
    return true;
}

/* The angle from the direction of `a` clockwise to that of `b`, seen at `at`; in (0, 2 pi]. */
static double clockwise(struct geo_vec at, struct geo_vec a, struct geo_vec b)
{
    struct geo_vec to_a = geo_sub(a, at), to_b = geo_sub(b, at);
    double sine = geo_dot(at, geo_cross(to_b, to_a));
    double cosine = geo_dot(to_a, to_b) - geo_dot(at, to_a) * geo_dot(at, to_b);
    double angle = atan2(sine, cosine);
    return angle > 0 ? angle : angle + 2 * GEO_PI;
}

/* The edge to go on with after `edge`: the first one clockwise from where we came, so that the area on
 * the left is the wedge between the two. */
static uint32_t next_edge(const struct joiner *join, uint32_t edge)
{
    const struct geo_point *vertices = join->plan->vertices;
    uint32_t from = join->edges[edge].from, at = join->edges[edge].to, best = NONE;
    double least = INFINITY;
    for (uint32_t i = join->first[at]; i < join->first[at + 1]; i++) {
        if (join->used[i]) continue;
        double angle = join->edges[i].to == from ? 2 * GEO_PI
                                                 : clockwise(vertices[at].at, vertices[from].at,
                                                             vertices[join->edges[i].to].at);
        if (angle < least) least = angle, best = i;
    }
    return best;
}

/* The ring begins after the edge that came last in the input, as Kusto's results do. */
static uint32_t ring_begin(const struct joiner *join, const uint32_t *walk, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (join->edges[walk[i]].order > join->edges[walk[best]].order) best = i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t next = (best + 1) % count;
        if (join->edges[walk[next]].order != join->edges[walk[best]].order) return next;
        best = next;
    }
    return 0;
}

static bool add_ring(struct joiner *join, const uint32_t *walk, uint32_t count)
{
    if (count < 3) return true;
    struct geo_point *points = rf_arena_raw(join->plan->arena, struct geo_point, count);
    if (points == NULL) return false;
    uint32_t begin = ring_begin(join, walk, count);
    for (uint32_t i = 0; i < count; i++)
        points[i] = join->plan->vertices[join->edges[walk[(begin + i) % count]].from];
    join->rings[join->ring_count++] =
        (struct joined_ring){{.points = points, .count = count}, join->edges[walk[begin]].order};
    return true;
}

static void step_back(struct joiner *join, uint32_t to_count)
{
    while (join->walk_count > to_count)
        join->place[join->edges[join->walk[--join->walk_count]].from] = NONE;
}

/* Walks from edge `edge` until the way ends; cuts a ring off each time the walk meets itself. */
static bool walk_from(struct joiner *join, uint32_t edge)
{
    for (; edge != NONE; edge = next_edge(join, join->walk[join->walk_count - 1])) {
        join->used[edge] = 1;
        join->place[join->edges[edge].from] = join->walk_count;
        join->walk[join->walk_count++] = edge;
        uint32_t back = join->place[join->edges[edge].to];
        if (back == NONE) continue;
        if (!add_ring(join, &join->walk[back], join->walk_count - back)) return false;
        step_back(join, back);
        if (join->walk_count == 0) return true;
    }
    /* A way that leads nowhere comes from rounding; what it bounds is thinner than GEO_SNAP. */
    step_back(join, 0);
    return true;
}

/* ---- rings to polygons ---------------------------------------------------------------------------- */

struct shell {
    struct geo_ring *ring;
    double size;
    uint32_t holes;
};

static uint32_t shell_around(const struct shell *shells, uint32_t count,
                             const struct geo_ring *hole)
{
    struct geo_vec probe = geo_unit(geo_add(hole->points[0].at, hole->points[1].at));
    uint32_t best = NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (best != NONE && shells[i].size >= shells[best].size) continue;
        if (geo_ring_contains(shells[i].ring, probe)) best = i;
    }
    return best;
}

/* Sorts rings into shells (area to the left is the smaller side) and their holes. */
static enum geo_result make_area(struct joined_ring *rings, uint32_t count, struct rf_arena *arena,
                                 struct geo_area *out)
{
    struct shell *shells = rf_arena_new(arena, struct shell, count);
    uint32_t *around = rf_arena_raw(arena, uint32_t, count);
    uint8_t *is_hole = rf_arena_new(arena, uint8_t, count);
    if (shells == NULL || around == NULL || is_hole == NULL) return GEO_NO_MEMORY;
    uint32_t shell_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        double size = geo_ring_area(&rings[i].ring);
        is_hole[i] = size < 0;
        around[i] = NONE;
        enum geo_result result = geo_ring_init(&rings[i].ring, arena);
        if (result == GEO_NO_MEMORY) return result;
        if (result != GEO_OK || size == 0) is_hole[i] = 2;
        if (is_hole[i] != 0) continue;
        around[i] = shell_count;
        shells[shell_count++] = (struct shell){.ring = &rings[i].ring, .size = size};
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_hole[i] != 1) continue;
        around[i] = shell_around(shells, shell_count, &rings[i].ring);
        if (around[i] != NONE) shells[around[i]].holes++;
    }
    struct geo_polygon *polygons = rf_arena_new(arena, struct geo_polygon, shell_count);
    if (polygons == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < shell_count; i++) {
        polygons[i].rings = rf_arena_new(arena, struct geo_ring, (size_t)shells[i].holes + 1);
        if (polygons[i].rings == NULL) return GEO_NO_MEMORY;
        polygons[i].rings[polygons[i].ring_count++] = *shells[i].ring;
        geo_polygon_bound(&polygons[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        if (is_hole[i] == 1 && around[i] != NONE)
            polygons[around[i]].rings[polygons[around[i]].ring_count++] = rings[i].ring;
    *out = (struct geo_area){.polygons = polygons, .count = shell_count};
    return GEO_OK;
}

static enum geo_result join_area(const struct arrangement *plan, struct kept *edges, uint32_t count,
                                 struct geo_area *out)
{
    struct joiner join;
    if (!joiner_init(&join, plan, edges, count)) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        if (!join.used[i] && !walk_from(&join, i)) return GEO_NO_MEMORY;
    if (join.ring_count > 0) qsort(join.rings, join.ring_count, sizeof *join.rings, by_order);
    return make_area(join.rings, join.ring_count, plan->arena, out);
}

/* ---- joining pieces to lines ---------------------------------------------------------------------- */

struct line_maker {
    const struct arrangement *plan;
    struct geo_path *paths;
    uint32_t path_count;
    struct geo_point *points; /* of all paths, one after the other */
    uint32_t point_count;
    uint32_t end; /* vertex at the end of the last path, or NONE */
};

static bool line_maker_init(struct line_maker *maker, const struct arrangement *plan)
{
    *maker = (struct line_maker){.plan = plan, .end = NONE};
    maker->paths = rf_arena_new(plan->arena, struct geo_path, plan->piece_count);
    maker->points = rf_arena_raw(plan->arena, struct geo_point, (size_t)plan->piece_count * 2);
    return maker->paths != NULL && maker->points != NULL;
}

/* Goes from vertex `from` to `to`: goes on with the last path when that ends at `from`. */
static void line_to(struct line_maker *maker, uint32_t from, uint32_t to)
{
    if (maker->end != from || maker->path_count == 0) {
        struct geo_path *path = &maker->paths[maker->path_count++];
        *path = (struct geo_path){.points = &maker->points[maker->point_count], .count = 1};
        maker->points[maker->point_count++] = maker->plan->vertices[from];
    }
    maker->paths[maker->path_count - 1].count++;
    maker->points[maker->point_count++] = maker->plan->vertices[to];
    maker->end = to;
}

static struct geo_lines lines_made(const struct line_maker *maker)
{
    return (struct geo_lines){.paths = maker->paths, .count = maker->path_count};
}

/* ---- intersections -------------------------------------------------------------------------------- */

/* Per vertex: bit 0 and 1 tell that operand 0 and 1 have an edge there, bit 2 that the result has. */
enum { AT_RESULT = 4 };

static void mark_operands(const struct arrangement *plan, uint8_t *marks)
{
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct piece *piece = &plan->pieces[i];
        uint8_t bit = (uint8_t)(1u << plan->owners[plan->inputs[piece->input].owner].operand);
        marks[piece->from] |= bit;
        marks[piece->to] |= bit;
    }
}

/* Where both operands come together and nothing bigger is in common, the point itself is. */
static bool points_in_common(const struct arrangement *plan, const uint8_t *marks,
                             struct geo_mix *out)
{
    uint32_t count = 0;
    for (uint32_t v = 0; v < plan->vertex_count; v++) count += marks[v] == 3;
    out->points = rf_arena_raw(plan->arena, struct geo_point, count);
    if (out->points == NULL) return false;
    for (uint32_t v = 0; v < plan->vertex_count; v++)
        if (marks[v] == 3) out->points[out->point_count++] = plan->vertices[v];
    return true;
}

enum geo_result geo_intersect_areas(const struct geo_area *a, const struct geo_area *b,
                                    struct rf_arena *arena, struct geo_mix *out)
{
    struct arrangement plan;
    struct line_maker touching;
    const struct geo_area *areas[2] = {a, b};
    const struct geo_lines *lines[2] = {NULL, NULL};
    if (!start(&plan, areas, lines, arena) || !line_maker_init(&touching, &plan))
        return GEO_NO_MEMORY;
    const struct sides *beside = survey_sides(&plan);
    struct kept *edges = rf_arena_raw(arena, struct kept, plan.group_count);
    uint8_t *marks = rf_arena_new(arena, uint8_t, plan.vertex_count);
    if (beside == NULL || edges == NULL || marks == NULL) return GEO_NO_MEMORY;
    mark_operands(&plan, marks);
    uint32_t count = 0;
    for (uint32_t g = 0; g < plan.group_count; g++) {
        struct sides sides = beside[g];
        const struct piece *piece = &plan.pieces[plan.by_group[plan.group_start[g]]];
        uint32_t low = RF_MIN(piece->from, piece->to), high = RF_MAX(piece->from, piece->to);
        bool left = sides.left[0] && sides.left[1], right = sides.right[0] && sides.right[1];
        bool both_touch = (sides.left[0] || sides.right[0]) && (sides.left[1] || sides.right[1]);
        if (left != right)
            edges[count++] = (struct kept){left ? low : high, left ? high : low, piece->input};
        else if (!left && both_touch)
            line_to(&touching, low, high);
        else if (!left)
            continue;
        marks[low] |= AT_RESULT;
        marks[high] |= AT_RESULT;
    }
    *out = (struct geo_mix){.lines = lines_made(&touching)};
    if (!points_in_common(&plan, marks, out)) return GEO_NO_MEMORY;
    enum geo_result result = join_area(&plan, edges, count, &out->area);
    if (result != GEO_OK || out->lines.count < 2) return result;
    struct geo_lines joined;
    result = geo_unite_lines(&out->lines, arena, &joined);
    out->lines = joined;
    return result;
}

enum geo_result geo_intersect_lines_area(const struct geo_lines *lines, const struct geo_area *area,
                                         struct rf_arena *arena, struct geo_mix *out)
{
    struct arrangement plan;
    struct line_maker maker;
    const struct geo_area *areas[2] = {NULL, area};
    const struct geo_lines *paths[2] = {lines, NULL};
    if (!start(&plan, areas, paths, arena) || !line_maker_init(&maker, &plan)) return GEO_NO_MEMORY;
    const struct sides *beside = survey_sides(&plan);
    uint8_t *marks = rf_arena_new(arena, uint8_t, plan.vertex_count);
    uint8_t *done = rf_arena_new(arena, uint8_t, plan.group_count);
    if (beside == NULL || marks == NULL || done == NULL) return GEO_NO_MEMORY;
    mark_operands(&plan, marks);
    for (uint32_t i = 0; i < plan.piece_count; i++) {
        const struct piece *piece = &plan.pieces[i];
        if (plan.owners[plan.inputs[piece->input].owner].polygon != NULL) continue;
        if (done[piece->group]) continue;
        done[piece->group] = 1;
        if (!beside[piece->group].left[1] && !beside[piece->group].right[1]) continue;
        line_to(&maker, piece->from, piece->to);
        marks[piece->from] |= AT_RESULT;
        marks[piece->to] |= AT_RESULT;
    }
    *out = (struct geo_mix){.lines = lines_made(&maker)};
    return points_in_common(&plan, marks, out) ? GEO_OK : GEO_NO_MEMORY;
}

/* Does any piece of the group belong to `operand`? */
static bool group_has(const struct arrangement *plan, uint32_t group, uint32_t operand)
{
    for (uint32_t i = plan->group_start[group]; i < plan->group_start[group + 1]; i++) {
        const struct piece *piece = &plan->pieces[plan->by_group[i]];
        if (plan->owners[plan->inputs[piece->input].owner].operand == operand) return true;
    }
    return false;
}

enum geo_result geo_intersect_lines(const struct geo_lines *a, const struct geo_lines *b,
                                    struct rf_arena *arena, struct geo_mix *out)
{
    struct arrangement plan;
    struct line_maker maker;
    const struct geo_area *areas[2] = {NULL, NULL};
    const struct geo_lines *paths[2] = {a, b};
    if (!start(&plan, areas, paths, arena) || !line_maker_init(&maker, &plan)) return GEO_NO_MEMORY;
    uint8_t *marks = rf_arena_new(arena, uint8_t, plan.vertex_count);
    uint8_t *done = rf_arena_new(arena, uint8_t, plan.group_count);
    if (marks == NULL || done == NULL) return GEO_NO_MEMORY;
    mark_operands(&plan, marks);
    for (uint32_t i = 0; i < plan.piece_count; i++) {
        const struct piece *piece = &plan.pieces[i];
        if (done[piece->group] || plan.owners[plan.inputs[piece->input].owner].operand != 0)
            continue;
        done[piece->group] = 1;
        if (!group_has(&plan, piece->group, 1)) continue;
        line_to(&maker, piece->from, piece->to);
        marks[piece->from] |= AT_RESULT;
        marks[piece->to] |= AT_RESULT;
    }
    *out = (struct geo_mix){.lines = lines_made(&maker)};
    return points_in_common(&plan, marks, out) ? GEO_OK : GEO_NO_MEMORY;
}

/* ---- unions --------------------------------------------------------------------------------------- */

static enum geo_result unite_few(const struct geo_area *area, struct rf_arena *arena,
                                 struct geo_area *out)
{
    struct arrangement plan;
    const struct geo_area *areas[2] = {area, NULL};
    const struct geo_lines *lines[2] = {NULL, NULL};
    if (!start(&plan, areas, lines, arena)) return GEO_NO_MEMORY;
    const struct sides *beside = survey_sides(&plan);
    struct kept *edges = rf_arena_raw(arena, struct kept, plan.group_count);
    if (beside == NULL || edges == NULL) return GEO_NO_MEMORY;
    uint32_t count = 0;
    for (uint32_t g = 0; g < plan.group_count; g++) {
        struct sides sides = beside[g];
        if (sides.left[0] == sides.right[0]) continue;
        const struct piece *piece = &plan.pieces[plan.by_group[plan.group_start[g]]];
        uint32_t low = RF_MIN(piece->from, piece->to), high = RF_MAX(piece->from, piece->to);
        edges[count++] =
            (struct kept){sides.left[0] ? low : high, sides.left[0] ? high : low, piece->input};
    }
    return join_area(&plan, edges, count, out);
}

enum geo_result geo_unite_area(const struct geo_area *area, struct rf_arena *arena,
                               struct geo_area *out)
{
    /* A queue: the first two are united and their union goes to the end. So each polygon takes part in
     * few unions, and rings begin where Kusto's do. */
    if (area->count > UINT32_MAX / 2) return GEO_NO_MEMORY;
    uint32_t total = area->count == 0 ? 0 : 2 * area->count - 1;
    struct geo_area *queue = rf_arena_new(arena, struct geo_area, (size_t)total + 1);
    if (queue == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < area->count; i++)
        queue[i] = (struct geo_area){.polygons = &area->polygons[i], .count = 1};
    for (uint32_t end = area->count, at = 0; end < total; end++, at += 2) {
        const struct geo_area *a = &queue[at], *b = &queue[at + 1];
        struct geo_area both = {.count = a->count + b->count};
        both.polygons = rf_arena_raw(arena, struct geo_polygon, both.count);
        if (both.polygons == NULL) return GEO_NO_MEMORY;
        memcpy(both.polygons, a->polygons, a->count * sizeof *both.polygons);
        memcpy(both.polygons + a->count, b->polygons, b->count * sizeof *both.polygons);
        enum geo_result result = unite_few(&both, arena, &queue[end]);
        if (result != GEO_OK) return result;
    }
    *out = queue[total == 0 ? 0 : total - 1];
    return GEO_OK;
}

/* The pieces that meet at each vertex, one per group. */
struct line_net {
    const struct arrangement *plan;
    uint32_t *first; /* per vertex: its first place in `groups`; vertex_count + 1 entries */
    uint32_t *groups;
    uint8_t *done;
};

static bool line_net_init(struct line_net *net, const struct arrangement *plan)
{
    *net = (struct line_net){.plan = plan};
    net->first = rf_arena_new(plan->arena, uint32_t, (size_t)plan->vertex_count + 2);
    net->groups = rf_arena_raw(plan->arena, uint32_t, (size_t)plan->group_count * 2);
    net->done = rf_arena_new(plan->arena, uint8_t, plan->group_count);
    if (net->first == NULL || net->groups == NULL || net->done == NULL) return false;
    for (uint32_t g = 0; g < plan->group_count; g++) {
        const struct piece *piece = &plan->pieces[plan->by_group[plan->group_start[g]]];
        net->first[piece->from + 2]++;
        net->first[piece->to + 2]++;
    }
    for (uint32_t v = 0; v < plan->vertex_count; v++) net->first[v + 2] += net->first[v + 1];
    /* first[v + 1] is where the next group of v goes; at the end it is where v + 1 begins. */
    for (uint32_t g = 0; g < plan->group_count; g++) {
        const struct piece *piece = &plan->pieces[plan->by_group[plan->group_start[g]]];
        net->groups[net->first[piece->from + 1]++] = g;
        net->groups[net->first[piece->to + 1]++] = g;
    }
    return true;
}

static uint32_t net_degree(const struct line_net *net, uint32_t vertex)
{
    return net->first[vertex + 1] - net->first[vertex];
}

/* Goes along `group` from `from`, and on as long as just two pieces meet. */
static void net_walk(struct line_net *net, struct line_maker *maker, uint32_t group, uint32_t from)
{
    while (group != NONE) {
        const struct arrangement *plan = net->plan;
        const struct piece *piece = &plan->pieces[plan->by_group[plan->group_start[group]]];
        uint32_t to = piece->from == from ? piece->to : piece->from;
        net->done[group] = 1;
        line_to(maker, from, to);
        group = NONE;
        if (net_degree(net, to) != 2) break;
        for (uint32_t i = net->first[to]; i < net->first[to + 1]; i++)
            if (!net->done[net->groups[i]]) group = net->groups[i];
        from = to;
    }
    maker->end = NONE; /* the next walk starts a path of its own */
}

enum geo_result geo_unite_lines(const struct geo_lines *lines, struct rf_arena *arena,
                                struct geo_lines *out)
{
    struct arrangement plan;
    struct line_maker maker;
    struct line_net net;
    const struct geo_area *areas[2] = {NULL, NULL};
    const struct geo_lines *paths[2] = {lines, NULL};
    if (!start(&plan, areas, paths, arena) || !line_maker_init(&maker, &plan) ||
        !line_net_init(&net, &plan))
        return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < plan.piece_count; i++) {
        const struct piece *piece = &plan.pieces[i];
        if (net.done[piece->group]) continue;
        if (net_degree(&net, piece->from) != 2)
            net_walk(&net, &maker, piece->group, piece->from);
        else if (net_degree(&net, piece->to) != 2)
            net_walk(&net, &maker, piece->group, piece->to);
    }
    /* What is left are closed rounds without a fork. */
    for (uint32_t i = 0; i < plan.piece_count; i++)
        if (!net.done[plan.pieces[i].group])
            net_walk(&net, &maker, plan.pieces[i].group, plan.pieces[i].from);
    *out = lines_made(&maker);
    return GEO_OK;
}

/* ---- tests ---------------------------------------------------------------------------------------- */

struct meeting {
    const struct geo_edge *edges;
    uint32_t first_count; /* edges of the first shape; the others belong to the second */
};

static bool keeps_apart(void *state, uint32_t first, uint32_t second)
{
    const struct meeting *meeting = state;
    if (first >= meeting->first_count || second < meeting->first_count) return true;
    const struct geo_edge *e = &meeting->edges[first], *f = &meeting->edges[second];
    return geo_edge_distance(e->a, e->b, f->a, f->b) > GEO_SNAP;
}

static enum geo_result edges_meet(const struct geo_edge *a, uint32_t a_count,
                                  const struct geo_edge *b, uint32_t b_count,
                                  struct rf_arena *arena, bool *out)
{
    if (a == NULL || b == NULL || a_count > UINT32_MAX - b_count) return GEO_NO_MEMORY;
    struct geo_edge *both = rf_arena_raw(arena, struct geo_edge, (size_t)a_count + b_count);
    if (both == NULL) return GEO_NO_MEMORY;
    memcpy(both, a, a_count * sizeof *both);
    memcpy(both + a_count, b, b_count * sizeof *both);
    struct meeting meeting = {.edges = both, .first_count = a_count};
    return geo_edge_pairs(both, a_count + b_count, GEO_SNAP, arena, keeps_apart, &meeting, out)
               ? GEO_OK
               : GEO_NO_MEMORY;
}

enum geo_result geo_areas_meet(const struct geo_area *a, const struct geo_area *b,
                               struct rf_arena *arena, bool *out)
{
    /* Without a crossing of borders, one polygon may still lie within the other. */
    for (uint32_t i = 0; i < a->count; i++)
        if (geo_area_contains(b, a->polygons[i].rings[0].points[0].at)) return *out = true, GEO_OK;
    for (uint32_t i = 0; i < b->count; i++)
        if (geo_area_contains(a, b->polygons[i].rings[0].points[0].at)) return *out = true, GEO_OK;
    uint32_t a_count = 0, b_count = 0;
    const struct geo_edge *a_edges = geo_area_edges(a, arena, &a_count);
    const struct geo_edge *b_edges = geo_area_edges(b, arena, &b_count);
    return edges_meet(a_edges, a_count, b_edges, b_count, arena, out);
}

enum geo_result geo_lines_meet_area(const struct geo_lines *lines, const struct geo_area *area,
                                    struct rf_arena *arena, bool *out)
{
    for (uint32_t i = 0; i < lines->count; i++)
        if (geo_area_contains(area, lines->paths[i].points[0].at)) return *out = true, GEO_OK;
    uint32_t a_count = 0, b_count = 0;
    const struct geo_edge *a_edges = geo_lines_edges(lines, arena, &a_count);
    const struct geo_edge *b_edges = geo_area_edges(area, arena, &b_count);
    return edges_meet(a_edges, a_count, b_edges, b_count, arena, out);
}

enum geo_result geo_lines_meet(const struct geo_lines *a, const struct geo_lines *b,
                               struct rf_arena *arena, bool *out)
{
    uint32_t a_count = 0, b_count = 0;
    const struct geo_edge *a_edges = geo_lines_edges(a, arena, &a_count);
    const struct geo_edge *b_edges = geo_lines_edges(b, arena, &b_count);
    return edges_meet(a_edges, a_count, b_edges, b_count, arena, out);
}
