#include "kql/key_map.h"

static uint64_t hash_of(const struct key_map *map, const struct value *keys)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < map->width; i++) hash = rf_hash_mix(hash, value_hash(&keys[i]));
    return hash;
}

/* The slot of the tuple, or the free one where it belongs. */
static uint32_t slot_of(const struct key_map *map, uint64_t hash, const struct value *keys)
{
    uint32_t mask = map->cap * 2 - 1, at = (uint32_t)hash & mask;
    for (; map->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t n = map->slots[at] - 1, i = 0;
        if (map->hashes[n] != hash) continue;
        const struct value *known = &map->keys[(size_t)n * map->width];
        while (i < map->width && value_same(&known[i], &keys[i])) i++;
        if (i == map->width) break;
    }
    return at;
}

uint32_t key_map_find(const struct key_map *map, const struct value *keys)
{
    if (map->count == 0) return KEY_MAP_NONE;
    uint32_t slot = map->slots[slot_of(map, hash_of(map, keys), keys)];
    return slot == 0 ? KEY_MAP_NONE : slot - 1;
}

static bool grow(struct key_map *map)
{
    uint32_t cap = map->cap == 0 ? 64 : map->cap * 2;
    if (cap > UINT32_MAX / 4) return false;
    size_t row = map->width * sizeof *map->keys;
    struct value *keys = rf_arena_grow(map->arena, map->keys, map->cap * row, cap * row);
    uint64_t *hashes =
        rf_arena_grow(map->arena, map->hashes, map->cap * sizeof *hashes, cap * sizeof *hashes);
    uint32_t *slots = rf_arena_new(map->arena, uint32_t, (size_t)cap * 2);
    if (keys == NULL || hashes == NULL || slots == NULL) return false;
    map->keys = keys;
    map->hashes = hashes;
    map->slots = slots;
    map->cap = cap;
    for (uint32_t n = 0; n < map->count; n++) {
        uint32_t at = (uint32_t)hashes[n] & (cap * 2 - 1);
        while (slots[at] != 0) at = (at + 1) & (cap * 2 - 1);
        slots[at] = n + 1;
    }
    return true;
}

uint32_t key_map_add(struct key_map *map, const struct value *keys)
{
    if (map->count == map->cap && !grow(map)) return KEY_MAP_NONE;
    uint64_t hash = hash_of(map, keys);
    uint32_t slot = slot_of(map, hash, keys);
    if (map->slots[slot] != 0) return map->slots[slot] - 1;
    if (map->width > 0)
        memcpy(&map->keys[(size_t)map->count * map->width], keys, map->width * sizeof *keys);
    map->hashes[map->count] = hash;
    map->slots[slot] = map->count + 1;
    return map->count++;
}
