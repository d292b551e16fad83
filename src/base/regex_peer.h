/* regex_peer.h - RE2 behind plain functions, for the comparison in regex_diff_test.c. */
#ifndef RF_REGEX_PEER_H
#define RF_REGEX_PEER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex_peer;
/* NULL: RE2 does not accept the pattern. */
struct regex_peer *regex_peer_new(const char *pattern, size_t len);
void regex_peer_free(struct regex_peer *peer);
size_t regex_peer_groups(const struct regex_peer *peer);
/* places[2 * i] and places[2 * i + 1] are the bounds of group i < cap, SIZE_MAX when it is unset. */
bool regex_peer_find(const struct regex_peer *peer, const char *text, size_t len, size_t from,
                     size_t *places, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
