#include "kql/geo_edges.h"

#include <math.h>
#include <stdlib.h>

struct edge_box {
    double low[3], high[3];
    double key; /* low on the axis that is swept */
    uint32_t edge;
};

static void box_of(const struct geo_edge *edge, double slack, struct edge_box *box)
{
    const double a[3] = {edge->a.x, edge->a.y, edge->a.z}, b[3] = {edge->b.x, edge->b.y, edge->b.z};
    struct geo_vec chord = geo_sub(edge->b, edge->a);
    /* An arc leaves its chord by no more than its height in the middle. */
    double bulge = 1 - sqrt(fmax(0, 1 - geo_dot(chord, chord) / 4)) + slack + 1e-15;
    for (int axis = 0; axis < 3; axis++) {
        box->low[axis] = fmin(a[axis], b[axis]) - bulge;
        box->high[axis] = fmax(a[axis], b[axis]) + bulge;
    }
}

/* The axis on which the boxes are shortest compared with the range they are spread over. */
static int best_axis(const struct edge_box *boxes, uint32_t count)
{
    int best = 0;
    double best_crowd = INFINITY;
    for (int axis = 0; axis < 3; axis++) {
        double from = INFINITY, to = -INFINITY, length = 0;
        for (uint32_t i = 0; i < count; i++) {
            from = fmin(from, boxes[i].low[axis]);
            to = fmax(to, boxes[i].high[axis]);
            length += boxes[i].high[axis] - boxes[i].low[axis];
        }
        double crowd = length / (to - from);
        if (crowd < best_crowd) best_crowd = crowd, best = axis;
    }
    return best;
}

static int by_key(const void *a, const void *b)
{
    const struct edge_box *left = a, *right = b;
    if (left->key != right->key) return left->key < right->key ? -1 : 1;
    return left->edge < right->edge ? -1 : left->edge > right->edge;
}

bool geo_edge_pairs(const struct geo_edge *edges, uint32_t count, double slack,
                    struct rf_arena *arena, geo_pair_fn *pair, void *state, bool *stopped)
{
    *stopped = false;
    struct edge_box *boxes = rf_arena_raw(arena, struct edge_box, count);
    if (boxes == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        box_of(&edges[i], slack, &boxes[i]);
        boxes[i].edge = i;
    }
    int axis = best_axis(boxes, count), second = (axis + 1) % 3, third = (axis + 2) % 3;
    for (uint32_t i = 0; i < count; i++) boxes[i].key = boxes[i].low[axis];
    qsort(boxes, count, sizeof *boxes, by_key);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count && boxes[j].key <= boxes[i].high[axis]; j++) {
            if (boxes[j].low[second] > boxes[i].high[second] ||
                boxes[j].high[second] < boxes[i].low[second] ||
                boxes[j].low[third] > boxes[i].high[third] ||
                boxes[j].high[third] < boxes[i].low[third])
                continue;
            uint32_t e = boxes[i].edge, f = boxes[j].edge;
            if (!pair(state, RF_MIN(e, f), RF_MAX(e, f))) {
                *stopped = true;
                return true;
            }
        }
    }
    return true;
}
