// json_simdjson_peer.cc - what simdjson makes of a JSON text, for json_diff_test.c.
#include "json_simdjson_peer.h"

#include <simdjson.h>

#include <cstdio>
#include <cstring>
#include <string>

using namespace simdjson;

static void describe_text(std::string_view text, char kind, std::string &out)
{
    out += kind;
    out += std::to_string(text.size());
    out += ':';
    out += text;
}

// Recursion is bounded by the depth the parser was given.
static void describe(dom::element element, std::string &out)
{
    char number[64];
    switch (element.type()) {
    case dom::element_type::OBJECT:
        out += '{';
        for (dom::key_value_pair field : dom::object(element)) {
            describe_text(field.key, 'k', out);
            describe(field.value, out);
        }
        out += '}';
        break;
    case dom::element_type::ARRAY:
        out += '[';
        for (dom::element item : dom::array(element)) describe(item, out);
        out += ']';
        break;
    case dom::element_type::STRING:
        describe_text(std::string_view(element), 's', out);
        break;
    case dom::element_type::INT64:
        snprintf(number, sizeof number, "i%lld;", static_cast<long long>(int64_t(element)));
        out += number;
        break;
    case dom::element_type::UINT64:
        snprintf(number, sizeof number, "d%a;", static_cast<double>(uint64_t(element)));
        out += number;
        break;
    case dom::element_type::DOUBLE:
        snprintf(number, sizeof number, "d%a;", double(element));
        out += number;
        break;
    case dom::element_type::BOOL:
        out += bool(element) ? 't' : 'f';
        break;
    case dom::element_type::NULL_VALUE:
        out += 'n';
        break;
    }
}

enum json_peer_verdict json_peer_read(const uint8_t *text, size_t len, uint8_t *out, size_t cap,
                                      size_t *out_len)
{
    padded_string padded(reinterpret_cast<const char *>(text), len);
    dom::parser parser;
    dom::element root;
    error_code error = parser.parse(padded).get(root);
    if (error == NUMBER_ERROR) return JSON_PEER_BAD_NUMBER;
    if (error == STRING_ERROR) return JSON_PEER_BAD_STRING;
    if (error != SUCCESS) return JSON_PEER_REJECTS;
    std::string described;
    describe(root, described);
    if (described.size() > cap) return JSON_PEER_REJECTS;
    memcpy(out, described.data(), described.size());
    *out_len = described.size();
    return JSON_PEER_ACCEPTS;
}
