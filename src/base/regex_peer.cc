// regex_peer.cc - RE2 behind plain functions, for the comparison in regex_diff_test.c.
#include "base/regex_peer.h"

#include <re2/re2.h>

#include <cstdint>
#include <string>
#include <vector>

struct regex_peer {
    re2::RE2 re2;
    explicit regex_peer(const std::string &pattern) : re2(pattern, re2::RE2::Quiet) {}
};

regex_peer *regex_peer_new(const char *pattern, size_t len)
{
    regex_peer *peer = new regex_peer(std::string(pattern, len));
    if (peer->re2.ok()) return peer;
    delete peer;
    return nullptr;
}

void regex_peer_free(regex_peer *peer)
{
    delete peer;
}

size_t regex_peer_groups(const regex_peer *peer)
{
    return static_cast<size_t>(peer->re2.NumberOfCapturingGroups());
}

bool regex_peer_find(const regex_peer *peer, const char *text, size_t len, size_t from, size_t *places, size_t cap)
{
    std::vector<re2::StringPiece> groups(cap);
    bool found = peer->re2.Match(re2::StringPiece(text, len), from, len, re2::RE2::UNANCHORED, groups.data(),
                                 static_cast<int>(cap));
    for (size_t i = 0; i < cap; i++) {
        bool set = found && groups[i].data() != nullptr;
        places[2 * i] = set ? static_cast<size_t>(groups[i].data() - text) : SIZE_MAX;
        places[2 * i + 1] = set ? places[2 * i] + groups[i].size() : SIZE_MAX;
    }
    return found;
}
