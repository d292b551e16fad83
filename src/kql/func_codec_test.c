#include "test/rf_print.h"

Test(func_codec, base64)
{
    static const struct rf_print_case cases[] = {
        {"base64_encode_tostring('Kusto')", "string:S3VzdG8="},
        {"base64_encodestring('')", ""},
        {"base64_decode_tostring('S3VzdG8=')", "Kusto"},
        {"base64_decode_tostring('S3Vz\\n dG8=')", "Kusto"},
        {"base64_decode_tostring('S3VzdG8')", ""},
        {"base64_decode_tostring('S3VzdG8==')", ""},
        {"base64_decode_tostring('U3RyaW5n0KHR0tGA0L7Rh9C60LA=')", ""},
        {"base64_decode_toarray('S3VzdG8=')", "dynamic:[75,117,115,116,111]"},
        {"base64_decode_toarray('*')", "null"},
        {"base64_encode_fromarray(dynamic([75, 117, 115, 116, 111]))", "S3VzdG8="},
        {"base64_encode_fromarray(dynamic([256]))", ""},
        {"base64_encode_fromarray(dynamic(null))", ""},
        {"base64_encode_fromguid(toguid('ae3133f2-6e22-49ae-b06a-16e6a9b212eb'))",
         "8jMxriJurkmwahbmqbIS6w=="},
        {"base64_decode_toguid('8jMxriJurkmwahbmqbIS6w==')",
         "guid:ae3133f2-6e22-49ae-b06a-16e6a9b212eb"},
        {"base64_decode_toguid('S3VzdG8=')", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_codec, urls_and_domains)
{
    static const struct rf_print_case cases[] = {
        {"url_encode('https://www.bing.com/hello world')",
         "https%3a%2f%2fwww.bing.com%2fhello+world"},
        {"url_encode_component('hello world/\xc3\xa9')", "hello%20world%2f%c3%a9"},
        {"url_decode('a%3A%2f+%zz%4')", "a:/ %zz%4"},
        {"url_decode('%ff')", "\xef\xbf\xbd"},
        {"punycode_from_string('acad\xc3\xa9mie-fran\xc3\xa7"
         "aise')",
         "acadmie-franaise-npb1a"},
        {"punycode_from_string('\xe8\x89\xba\xe6\x9c\xaf')", "cqv902d"},
        {"punycode_to_string('acadmie-franaise-npb1a')", "acad\xc3\xa9mie-fran\xc3\xa7"
                                                         "aise"},
        {"punycode_to_string('cqv902d')", "\xe8\x89\xba\xe6\x9c\xaf"},
        {"punycode_to_string('99999999')", ""},
        {"punycode_domain_to_string('a.\xe8\x89\xba\xe6\x9c\xaf.com')", "a.xn--cqv902d.com"},
        {"punycode_domain_from_string('a.xn--cqv902d.com')", "a.\xe8\x89\xba\xe6\x9c\xaf.com"},
        {"punycode_domain_from_string('xn--*.com')", ""},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_codec, compression)
{
    static const struct rf_print_case cases[] = {
        {"gzip_decompress_from_base64_string('H4sIAAAAAAAA/wEUAOv/"
         "MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==')",
         "1234567890qwertyuiop"},
        {"zlib_decompress_from_base64_string('eAEBFADr/zEyMzQ1Njc4OTBxd2VydHl1aW9wOAkGdw==')",
         "1234567890qwertyuiop"},
        {"gzip_decompress_from_base64_string('x0x0x0')", ""},
        {"gzip_decompress_from_base64_string('H4sIAAAAAAAA/wEUAOv/MTIz')", ""},
        {"gzip_decompress_from_base64_string(gzip_compress_to_base64_string(strrep('ab', 1000))) "
         "== "
         "strrep('ab', 1000)",
         "true"},
        {"zlib_decompress_from_base64_string(zlib_compress_to_base64_string(''))", ""},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_codec, hashes)
{
    static const struct rf_print_case cases[] = {
        {"hash('World')", "long:1846988464401551951"},
        {"hash('World', 100)", "51"},
        {"hash('World', 0)", "null"},
        {"hash(datetime('2015-01-01'))", "1380966698541616202"},
        {"hash_xxhash64('World', 100)", "51"},
        {"hash(dynamic('World'))", "1846988464401551951"},
        {"hash_many('a', 1) == hash_combine(hash('a'), hash(1))", "true"},
        {"hash_combine(1, 2) == hash_combine(2, 1)", "false"},
        {"hash_md5('World')", "string:f5a7924e621e84c9280a9a27e1bcb7f6"},
        {"hash_md5(datetime(2020-01-01))", "786c530672d1f8db31fee25ea8a9390b"},
        {"hash_sha1('World')", "70c07ec18ef89c5309bbb0937f3a6342411e1fdd"},
        {"hash_sha256('World')",
         "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524"},
    };
    RF_PRINT_CHECK(cases);
}
