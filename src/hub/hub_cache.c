#include "hub/hub_int.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 256 << 10, BLOCKS_PER_READ = 256 };

static void unref_block(struct cache_block *block)
{
    if (atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1) free(block);
}

/* ---- in --------------------------------------------------------------------------------------------------------------- */

static struct cache_block *make_block(struct hub_partition *p, const struct log_frame *frames,
                                      uint32_t count)
{
    size_t bytes = sizeof(struct cache_block) + count * sizeof *frames;
    for (uint32_t i = 0; i < count; i++) bytes += frames[i].batch.len;
    struct cache_block *block = malloc(bytes);
    if (block == NULL) return NULL;
    *block = (struct cache_block){.count = count, .bytes = bytes, .partition = p};
    atomic_init(&block->refs, 1);
    uint8_t *at = (uint8_t *)(block->frames + count);
    for (uint32_t i = 0; i < count; i++) {
        block->frames[i] = frames[i];
        block->frames[i].batch.ptr = at;
        memcpy(at, frames[i].batch.ptr, frames[i].batch.len);
        at += frames[i].batch.len;
    }
    block->first = frames[0].first;
    block->end = frames[count - 1].first + frames[count - 1].count;
    return block;
}

static struct cache_block *ring_at(const struct cache_ring *ring, uint32_t index)
{
    return ring->items[(ring->head + index) & (ring->cap - 1)];
}

static bool ring_push(struct cache_ring *ring, struct cache_block *block)
{
    if (ring->count == ring->cap) {
        uint32_t cap = RF_MAX(ring->cap * 2, 4u);
        struct cache_block **items = malloc(cap * sizeof(*items));
        if (items == NULL) return false;
        for (uint32_t i = 0; i < ring->count; i++) items[i] = ring_at(ring, i);
        free(ring->items);
        *ring = (struct cache_ring){.items = items, .count = ring->count, .cap = cap};
    }
    ring->items[(ring->head + ring->count++) & (ring->cap - 1)] = block;
    return true;
}

/* A partition at rest keeps nothing, not even the ring. */
static void ring_pop(struct cache_ring *ring)
{
    ring->head = (ring->head + 1) & (ring->cap - 1);
    if (--ring->count > 0) return;
    free(ring->items);
    *ring = (struct cache_ring){0};
}

static void unlink_block(struct hub_cache *cache, struct cache_block *block)
{
    if (block->older != NULL)
        block->older->newer = block->newer;
    else
        cache->oldest = block->newer;
    if (block->newer != NULL)
        block->newer->older = block->older;
    else
        cache->newest = block->older;
    cache->bytes -= block->bytes;
    unref_block(block);
}

/* Blocks of all partitions go in the order in which they came, so a partition's oldest one always goes before its others. */
static void evict(struct hub_cache *cache)
{
    while (cache->bytes > cache->bytes_max) {
        struct cache_block *block = cache->oldest;
        struct cache_ring *ring = &block->partition->cached;
        RF_ASSERT(ring_at(ring, 0) == block);
        RF_ASSERT(block->older == NULL);
        ring_pop(ring);
        unlink_block(cache, block);
    }
}

static void add_block(struct hub_partition *p, struct cache_block *block)
{
    struct hub_cache *cache = &p->hub->hubs->cache;
    (void)pthread_mutex_lock(&cache->lock);
    /* Dropping a hub empties its rings under this lock after its status was set: nothing comes behind that. */
    bool kept = hub_status_of(p->hub) != HUB_DELETED && ring_push(&p->cached, block);
    if (kept) {
        block->older = cache->newest;
        if (cache->newest != NULL)
            cache->newest->newer = block;
        else
            cache->oldest = block;
        cache->newest = block;
        cache->bytes += block->bytes;
        evict(cache);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    if (!kept) unref_block(block);
}

void hub_cache_add(struct hub_partition *p, const struct log_frame *frames, uint32_t count)
{
    while (count > 0) {
        uint32_t n = 1;
        size_t bytes = frames[0].batch.len;
        while (n < count && bytes + frames[n].batch.len <= BLOCK_BYTES)
            bytes += frames[n++].batch.len;
        struct cache_block *block = make_block(p, frames, n);
        if (block != NULL) add_block(p, block);
        frames += n, count -= n;
    }
}

void hub_cache_drop(struct hub_partition *p)
{
    struct hub_cache *cache = &p->hub->hubs->cache;
    (void)pthread_mutex_lock(&cache->lock);
    while (p->cached.count > 0) {
        struct cache_block *block = ring_at(&p->cached, 0);
        ring_pop(&p->cached);
        unlink_block(cache, block);
    }
    (void)pthread_mutex_unlock(&cache->lock);
}

/* ---- out -------------------------------------------------------------------------------------------------------------- */

/* The blocks from the one that holds `from` on, as long as no number is missing between them. */
static uint32_t take_blocks(struct hub_partition *p, int64_t from, size_t bytes_max,
                            struct cache_block *blocks[BLOCKS_PER_READ])
{
    struct hub_cache *cache = &p->hub->hubs->cache;
    const struct cache_ring *ring = &p->cached;
    uint32_t taken = 0;
    size_t bytes = 0;
    (void)pthread_mutex_lock(&cache->lock);
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (ring_at(ring, mid)->end <= from)
            low = mid + 1;
        else
            high = mid;
    }
    for (int64_t next = from; low < ring->count && taken < BLOCKS_PER_READ; low++) {
        struct cache_block *block = ring_at(ring, low);
        if (taken == 0 ? block->first > from : block->first != next) break;
        /* The first block is cut at its front, so it says nothing about how much there is. */
        if (taken > 0 && bytes > bytes_max) break;
        if (taken > 0) bytes += block->bytes;
        (void)atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
        blocks[taken++] = block;
        next = block->end;
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return taken;
}

static uint32_t choose(struct cache_block *const *blocks, uint32_t block_count, int64_t from,
                       size_t bytes_max, struct log_frame *frames, uint32_t cap)
{
    uint32_t n = 0;
    size_t bytes = 0;
    for (uint32_t b = 0; b < block_count; b++)
        for (uint32_t i = 0; i < blocks[b]->count && n < cap; i++) {
            const struct log_frame *frame = &blocks[b]->frames[i];
            if (frame->first + frame->count <= from) continue;
            if (n > 0 && bytes + frame->batch.len > bytes_max) return n;
            bytes += frame->batch.len;
            frames[n++] = *frame;
        }
    return n;
}

enum rf_kind hub_cache_read(struct hub_partition *p, int64_t from, size_t bytes_max,
                            struct rf_arena *arena, struct log_frames *out, bool *hit,
                            struct rf_err *err)
{
    struct cache_block *blocks[BLOCKS_PER_READ];
    uint32_t block_count = take_blocks(p, from, bytes_max, blocks), cap = 0, count = 0;
    *hit = block_count > 0;
    if (!*hit) return RF_OK;
    for (uint32_t i = 0; i < block_count; i++) cap += blocks[i]->count;
    struct log_frame *frames = rf_arena_raw(arena, struct log_frame, cap);
    bool fits = frames != NULL;
    if (fits) count = choose(blocks, block_count, from, bytes_max, frames, cap);
    for (uint32_t i = 0; fits && i < count; i++)
        fits = rf_arena_str(arena, frames[i].batch, &frames[i].batch);
    for (uint32_t i = 0; i < block_count; i++) unref_block(blocks[i]);
    if (!fits) return rf_fail_memory(err, arena);
    RF_ASSERT(count > 0);
    *out = (struct log_frames){.items = frames, .count = count};
    return RF_OK;
}
