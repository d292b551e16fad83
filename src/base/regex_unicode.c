#include "base/regex_unicode.h"

const struct unicode_class *unicode_class_find(rf_str name)
{
    for (size_t i = 0; i < unicode_class_count; i++)
        if (rf_str_is(name, unicode_classes[i].name)) return &unicode_classes[i];
    return NULL;
}

static uint32_t map_find(const struct unicode_map *map, size_t count, uint32_t cp)
{
    size_t low = 0, high = count;
    while (low < high) { /* the last entry that starts at or before cp */
        size_t mid = (low + high) / 2;
        if (map[mid].low <= cp) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == 0) return cp;
    const struct unicode_map *entry = &map[low - 1];
    if (cp > entry->high || (cp - entry->low) % entry->stride != 0) return cp;
    return (uint32_t)((int64_t)cp + entry->delta);
}

uint32_t unicode_lower(uint32_t cp)
{
    if (cp < 0x80) return rf_lower((uint8_t)cp);
    return map_find(unicode_lower_map, unicode_lower_count, cp);
}

uint32_t unicode_upper(uint32_t cp)
{
    if (cp < 0x80) return rf_upper((uint8_t)cp);
    return map_find(unicode_upper_map, unicode_upper_count, cp);
}

uint32_t unicode_fold(uint32_t cp)
{
    if (cp < 0x80) return rf_lower((uint8_t)cp);
    return map_find(unicode_fold_map, unicode_fold_count, cp);
}
