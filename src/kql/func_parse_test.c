#include "test/rf_print.h"

Test(func_parse, urls)
{
    static const struct rf_print_case cases[] = {
        {"parse_url('scheme://user:pass@host:1234/this/is/a/path?k1=v1&k2=v2#fragment')",
         "dynamic:{\"Scheme\":\"scheme\",\"Host\":\"host\",\"Port\":\"1234\",\"Path\":\"/this/is/a/"
         "path\","
         "\"Username\":\"user\",\"Password\":\"pass\",\"Query "
         "Parameters\":{\"k1\":\"v1\",\"k2\":\"v2\"},"
         "\"Fragment\":\"fragment\"}"},
        {"tostring(parse_url('https://[::1]:8080').Host)", "[::1]"},
        {"tostring(parse_url('https://a.com?q=1').Host)", "a.com"},
        {"tostring(parse_url('no url').Path)", "no url"},
        {"parse_urlquery('k1=v1&k2=v=2&&k1=v3&x')",
         "{\"Query Parameters\":{\"k1\":\"v3\",\"k2\":\"v=2\",\"x\":\"\"}}"},
        {"parse_urlquery('')", "{\"Query Parameters\":{}}"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_parse, cef)
{
    static const struct rf_print_case cases[] = {
        {"parse_cef_dictionary('src=10.0.0.1 dst=10.0.0.2 msg=two words')",
         "dynamic:{\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"msg\":\"two words\"}"},
        {"parse_cef_dictionary(@'a=x\\=y b=l1\\nl2 c=\\\\')",
         "{\"a\":\"x=y\",\"b\":\"l1\\nl2\",\"c\":\"\\\\\"}"},
        {"parse_cef_dictionary('a=b=c d= e=1 a=2')", "{\"a\":\"2\",\"d\":\"\",\"e\":\"1\"}"},
        {"parse_cef_dictionary('no pairs')", "null"},
        {"parse_cef_dictionary('=x')", "null"},
        {"parse_cef_dictionary('')", "null"},
        {"parse_cef_dictionary('a=')", "{\"a\":\"\"}"},
        {"parse_cef_dictionary(@'a=\\\\')", "{\"a\":\"\\\\\"}"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_parse, paths)
{
    static const struct rf_print_case cases[] = {
        {"parse_path(@'C:\\temp\\file.txt')",
         "{\"Scheme\":\"\",\"RootPath\":\"C:\",\"DirectoryPath\":\"C:\\\\temp\",\"DirectoryName\":"
         "\"temp\","
         "\"Filename\":\"file.txt\",\"Extension\":\"txt\",\"AlternateDataStreamName\":\"\"}"},
        {"parse_path('file://C:/temp/file.txt:some.exe')",
         "{\"Scheme\":\"file\",\"RootPath\":\"C:\",\"DirectoryPath\":\"C:/"
         "temp\",\"DirectoryName\":\"temp\","
         "\"Filename\":\"file.txt\",\"Extension\":\"txt\",\"AlternateDataStreamName\":\"some."
         "exe\"}"},
        {"parse_path('/usr/lib/x.tar.gz')",
         "{\"Scheme\":\"\",\"RootPath\":\"\",\"DirectoryPath\":\"/usr/"
         "lib\",\"DirectoryName\":\"lib\","
         "\"Filename\":\"x.tar.gz\",\"Extension\":\"gz\",\"AlternateDataStreamName\":\"\"}"},
        {"tostring(parse_path('C:').RootPath)", "C:"},
        {"tostring(parse_path('').Filename)", ""},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_parse, csv)
{
    static const struct rf_print_case cases[] = {
        {"parse_csv('aa,\"b,b,b\",cc,\"Escaping quotes: \"\"Title\"\"\",\"line1\\nline2\"')",
         "[\"aa\",\"b,b,b\",\"cc\",\"Escaping quotes: \\\"Title\\\"\",\"line1\\nline2\"]"},
        {"parse_csv('record1,a,b,c\\nrecord2,x,y,z')", "[\"record1\",\"a\",\"b\",\"c\"]"},
        {"parse_csv('')", "[\"\"]"},
        {"parse_csv(',')", "[\"\",\"\"]"},
        {"parse_csv('\"open')", "[\"open\"]"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_parse, xml)
{
    static const struct rf_print_case cases[] = {
        {"parse_xml('<e/>')", "{\"e\":null}"},
        {"parse_xml('<e>text</e>')", "{\"e\":\"text\"}"},
        {"parse_xml('<e name=\"value\" />')", "{\"e\":{\"@name\":\"value\"}}"},
        {"parse_xml('<e name=\"value\">text</e>')",
         "{\"e\":{\"@name\":\"value\",\"#text\":\"text\"}}"},
        {"parse_xml('<e> <a>1</a> <b>2</b> </e>')", "{\"e\":{\"a\":\"1\",\"b\":\"2\"}}"},
        {"parse_xml('<e><a>1</a><b/><a>2</a></e>')", "{\"e\":{\"a\":[\"1\",\"2\"],\"b\":null}}"},
        {"parse_xml('<e>text<a>1</a></e>')", "{\"e\":{\"#text\":\"text\",\"a\":\"1\"}}"},
        {"parse_xml('<?xml version=\"1.0\"?><!-- c --><e>a&lt;&#65;&#x42;<!-- d --></e>')",
         "{\"e\":\"a<AB\"}"},
        {"parse_xml('<e><![CDATA[<x>]]></e>')", "{\"e\":{\"#cdata-section\":\"<x>\"}}"},
        {"parse_xml('<a><b></a></b>')", "null"},
        {"parse_xml('<a></a><b/>')", "null"},
        {"parse_xml('<a b=\"1\" b=\"2\"/>')", "null"},
        {"parse_xml('<a>&unknown;</a>')", "null"},
        {"parse_xml('<!DOCTYPE a><a/>')", "null"},
        {"parse_xml('<a')", "null"},
        {"parse_xml('text')", "null"},
        {"parse_xml('')", "null"},
        {"isnull(parse_xml(strcat(strrep('<a>', 200), strrep('</a>', 200))))", "true"},
        {"tostring(parse_xml(strcat(strrep('<a>', 60), 'x', strrep('</a>', 60)))) contains 'x'",
         "true"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_parse, versions_and_commands)
{
    static const struct rf_print_case cases[] = {
        {"parse_version('1.2.3.40')", "decimal:1000000020000000300000040"},
        {"parse_version('1.0') == parse_version('1.0.0.0')", "true"},
        {"parse_version('0.0.0.5') < parse_version('0.0.7.0')", "true"},
        {"parse_version('1.x')", "null"},
        {"parse_version('1.2.3.4.5')", "null"},
        {"parse_version('123456789')", "null"},
        {"parse_command_line('echo \"hello world!\" print$?', 'windows')",
         "[\"echo\",\"hello world!\",\"print$?\"]"},
        {"parse_command_line(@'a \\\\\"b c\" d\\\"e \"\" f\\\\', 'windows')",
         "[\"a\",\"\\\\b c\",\"d\\\"e\",\"\",\"f\\\\\\\\\"]"},
        {"parse_command_line('', 'windows')", "null"},
        {"parse_command_line('a', 'bash')", "error:"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_parse, user_agents)
{
#define CHROME                                                                                     \
    "'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "           \
    "Chrome/120.0.6099.1 Safari/537.36'"
    static const struct rf_print_case cases[] = {
        {"parse_user_agent(" CHROME ", 'browser')",
         "{\"Browser\":{\"Family\":\"Chrome\",\"MajorVersion\":\"120\",\"MinorVersion\":\"0\","
         "\"Patch\":\"6099\"}}"},
        {"parse_user_agent(" CHROME ", dynamic(['os', 'device']))",
         "{\"OperatingSystem\":{\"Family\":\"Windows\",\"MajorVersion\":\"10\",\"MinorVersion\":"
         "\"\","
         "\"Patch\":\"\",\"PatchMinor\":\"\"},\"Device\":{\"Family\":\"Other\",\"Brand\":\"\","
         "\"Model\":\"\"}}"},
        {"parse_user_agent('Mozilla/5.0 (Windows; U; en-US) AppleWebKit/531.9 (KHTML, like Gecko) "
         "AdobeAIR/2.5.1', 'browser')",
         "{\"Browser\":{\"Family\":\"AdobeAIR\",\"MajorVersion\":\"2\",\"MinorVersion\":\"5\","
         "\"Patch\":\"1\"}}"},
        {"tostring(parse_user_agent('', 'browser').Browser.Family)", "Other"},
    };
    RF_PRINT_CHECK(cases);
}
