//! Variables, pipe formats, parsers, formats of `formatResponse`, logics of conditions, each with an example.

use super::{Entry, entry};

/// Built-in variables (dialect §3.3); `n` stands for a number.
#[rustfmt::skip]
pub const VARIABLES: &[Entry] = &[
    entry("LAST_SYNC_TIME", ("begin of the run's window, in unix seconds", "本次运行窗口的开始(秒)"), "{{LAST_SYNC_TIME}}", "1710403200"),
    entry("CURRENT_TIME", ("end of the run's window, in unix seconds; the same for all pages", "本次运行窗口的结束(秒),各页相同"), "{{CURRENT_TIME|datetime}}", "\"2024-03-14 17:00:00\""),
    entry("DAYS_AGO_n", ("CURRENT_TIME less n days", "CURRENT_TIME 之前 n 天"), "{{DAYS_AGO_2|datetime}}", "\"2024-03-12 17:00:00\""),
    entry("HOURS_AGO_n", ("CURRENT_TIME less n hours", "CURRENT_TIME 之前 n 小时"), "{{HOURS_AGO_1|datetime}}", "\"2024-03-14 16:00:00\""),
    entry("MINUTES_AGO_n", ("CURRENT_TIME less n minutes", "CURRENT_TIME 之前 n 分钟"), "{{MINUTES_AGO_5|datetime}}", "\"2024-03-14 16:55:00\""),
    entry("MONTH_FIRST_DAY", ("first day of CURRENT_TIME's month", "CURRENT_TIME 当月的第一天"), "{{MONTH_FIRST_DAY|date}}", "\"2024-03-01\""),
    entry("PAGINATION_START_PAGE", ("number of the page being read", "正在读取的页码"), "{PAGINATION_START_PAGE}", "1"),
    entry("PAGINATION_PAGE_SIZE", ("rows of a page", "每页行数"), "{PAGINATION_PAGE_SIZE}", "100"),
    entry("PAGINATION_START_ROW", ("rows before the page", "该页之前的行数"), "{{PAGINATION_START_ROW}}", "0"),
    entry("LAST_ID", ("the cursor of the reply before; null on the first page", "上一响应的游标,首页为空"), "{{LAST_ID}}", "null"),
    entry("lastSyncTime", ("the same as LAST_SYNC_TIME, unless the record has such a field", "同 LAST_SYNC_TIME(数据无同名字段时)"), "{{lastSyncTime|datetime}}", "\"2024-03-14 16:00:00\""),
    entry("lastExecuteTime", ("the same as LAST_SYNC_TIME", "同 LAST_SYNC_TIME"), "{{lastExecuteTime}}", "1710403200"),
    entry("currentTime", ("the same as CURRENT_TIME, unless the record has such a field", "同 CURRENT_TIME(数据无同名字段时)"), "{{currentTime|date}}", "\"2024-03-14\""),
    entry("startTime", ("the same as CURRENT_TIME", "同 CURRENT_TIME"), "{{startTime}}", "1710406800"),
    entry("PAGE_NO", ("the same as PAGINATION_START_PAGE", "同 PAGINATION_START_PAGE"), "{{PAGE_NO}}", "1"),
    entry("PAGE_SIZE", ("the same as PAGINATION_PAGE_SIZE", "同 PAGINATION_PAGE_SIZE"), "{{PAGE_SIZE}}", "100"),
];

/// Pipe formats (dialect §3.4).
#[rustfmt::skip]
pub const PIPES: &[Entry] = &[
    entry("datetime", ("`YYYY-MM-DD HH:MM:SS` in the plan's zone; a pattern may be given", "方案时区的 `YYYY-MM-DD HH:MM:SS`,可给出模式"), "{{LAST_SYNC_TIME|datetime}}", "\"2024-03-14 16:00:00\""),
    entry("dateTime", ("the same as datetime, with seconds", "同 datetime,含秒"), "{{created|dateTime}}", "\"2024-03-15 14:30:00\""),
    entry("date", ("`YYYY-MM-DD`; a pattern of PHP's or Java's letters may be given", "`YYYY-MM-DD`,可给出 PHP 或 Java 字母的模式"), "{{created|date('yyyy/MM/dd')}}", "\"2024/03/15\""),
    entry("time", ("`HH:MM:SS`", "`HH:MM:SS`"), "{{created|time}}", "\"14:30:00\""),
    entry("timestamp", ("unix seconds", "秒级时间戳"), "{{created|timestamp}}", "1710484200"),
    entry("timestamp_ms", ("unix milliseconds", "毫秒级时间戳"), "{{LAST_SYNC_TIME|timestamp_ms}}", "1710403200000"),
    entry("format", ("a time by a pattern", "按模式格式化时间"), "{{created|format:\"Ymd\"}}", "\"20240315\""),
    entry("addDays", ("so many days later; the form of the value stays", "加若干天,形式不变"), "{{created|addDays:1}}", "\"2024-03-16 14:30:00\""),
    entry("replace", ("a text with another put in", "替换文本"), "{{no|replace('-', '/')}}", "\"SO/7\""),
    entry("json_encode", ("the value as JSON text", "值的 JSON 文本"), "{{items.qty|json_encode}}", "\"[2,5]\""),
];

/// Parsers (dialect §4.1); an example is an item.
#[rustfmt::skip]
pub const PARSERS: &[Entry] = &[
    entry("StringToArray", ("cuts a text at a separator (default `,`)", "按分隔符(默认 `,`)拆分文本"), "{\"value\":\"{{tags}}\",\"parser\":{\"name\":\"StringToArray\",\"params\":\",\"}}", "[\"a\",\"b\",\"a\"]"),
    entry("ArrayToString", ("joins a list with a separator (default `,`)", "以分隔符(默认 `,`)连接列表"), "{\"value\":\"{{items.sku}}\",\"parser\":{\"name\":\"ArrayToString\",\"params\":\"|\"}}", "\"K1|K2\""),
    entry("ArrayUnique", ("removes repeated elements", "去除重复元素"), "{\"value\":\"{{tags}}\",\"parser\":\"StringToArray,ArrayUnique\"}", "[\"a\",\"b\"]"),
    entry("ConvertJson", ("an object as a list of Key and Value", "对象转 Key、Value 列表"), "{\"value\":\"{\\\"1033\\\":\\\"2037\\\"}\",\"parser\":{\"name\":\"ConvertJson\"}}", "[{\"Key\":1033,\"Value\":\"2037\"}]"),
    entry("ConvertObjectParser", ("puts the value under a name", "将值放在指定属性下"), "{\"value\":\"{{no}}\",\"parser\":{\"name\":\"ConvertObjectParser\",\"params\":\"FNumber\"}}", "{\"FNumber\":\"SO-7\"}"),
    entry("ConvertTwoStageObjectParser", ("puts the value under two names", "将值放在两级属性下"), "{\"value\":\"{{no}}\",\"parser\":{\"name\":\"ConvertTwoStageObjectParser\",\"params1\":\"value\",\"params2\":\"code\"}}", "{\"value\":{\"code\":\"SO-7\"}}"),
    entry("K3WiseHeiHuCustomParser", ("a list of one pair keyName and keyValue", "含 keyName、keyValue 的单项列表"), "{\"value\":\"{{no}}\",\"parser\":{\"name\":\"K3WiseHeiHuCustomParser\",\"params\":\"单号\"}}", "[{\"keyName\":\"单号\",\"keyValue\":\"SO-7\"}]"),
    entry("workflowRequestTableFields", ("a table field of a workflow request", "流程表单的表格字段"), "{\"field\":\"dh\",\"value\":\"{{no}}\",\"parser\":{\"name\":\"workflowRequestTableFields\",\"view\":true,\"edit\":true,\"fieldId\":\"9\"}}", "{\"fieldName\":\"dh\",\"fieldValue\":\"SO-7\",\"view\":true,\"edit\":true,\"fieldId\":\"9\"}"),
    entry("jsonpath", ("what a JSONPath finds", "JSONPath 的结果"), "{\"value\":\"{\\\"a\\\":[{\\\"b\\\":7}]}\",\"parser\":{\"type\":\"jsonpath\",\"expression\":\"$.a[0].b\"}}", "7"),
    entry("xml", ("text or attribute at a path of XML", "XML 路径处的文本或属性"), "{\"value\":\"<r><i id=\\\"7\\\"/></r>\",\"parser\":{\"type\":\"xml\",\"xpath\":\"/r/i\",\"attribute\":\"id\"}}", "\"7\""),
    entry("csv", ("lines of CSV as a list of objects", "CSV 行转对象列表"), "{\"value\":\"code,price\\nA,100\",\"parser\":{\"type\":\"csv\"}}", "[{\"code\":\"A\",\"price\":\"100\"}]"),
    entry("regex", ("what a pattern, or a group of it, finds", "正则或其分组匹配的内容"), "{\"value\":\"{{no}}\",\"parser\":{\"type\":\"regex\",\"pattern\":\"SO-(\\\\d+)\",\"group\":1}}", "\"7\""),
    entry("date", ("a time by a pattern", "按模式格式化时间"), "{\"value\":\"{{created}}\",\"parser\":{\"type\":\"date\",\"format\":\"yyyy-MM-dd\"}}", "\"2024-03-15\""),
    entry("number", ("a number with so many decimals", "保留指定小数位"), "{\"value\":\"{{price}}\",\"parser\":{\"type\":\"number\",\"decimal\":1}}", "12.5"),
    entry("enum", ("the value, if it is one of those allowed", "限定取值范围"), "{\"value\":\"A\",\"parser\":{\"type\":\"enum\",\"values\":[\"A\",\"B\"]}}", "\"A\""),
];

/// Formats of `formatResponse` (dialect §4.2); an example is an entry of the list.
#[rustfmt::skip]
pub const FORMATS: &[Entry] = &[
    entry("date", ("`YYYY-MM-DD`; a pattern may be given", "`YYYY-MM-DD`,可给出模式"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"date\"}", "\"2024-03-15\""),
    entry("time", ("`HH:MM:SS`", "`HH:MM:SS`"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"time\"}", "\"14:30:00\""),
    entry("dateTime", ("`YYYY-MM-DD HH:MM`, without seconds; a pattern may be given", "`YYYY-MM-DD HH:MM`,不含秒,可给出模式"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"dateTime\"}", "\"2024-03-15 14:30\""),
    entry("shortDate", ("`MM-DD`", "`MM-DD`"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"shortDate\"}", "\"03-15\""),
    entry("shortTime", ("`HH:MM`", "`HH:MM`"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"shortTime\"}", "\"14:30\""),
    entry("shortDateTime", ("`MM-DD HH:MM`", "`MM-DD HH:MM`"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"shortDateTime\"}", "\"03-15 14:30\""),
    entry("dateDescription", ("how long ago, in Chinese words", "距今多久(中文)"), "{\"old\":\"created\",\"new\":\"x\",\"format\":\"dateDescription\"}", "\"刚刚\""),
    entry("longText", ("the first n characters (default 15)", "前 n 个字符(默认 15)"), "{\"old\":\"note\",\"new\":\"x\",\"format\":\"longText(3)\"}", "\"请仔细...\""),
    entry("intval", ("the whole number at the beginning", "开头的整数"), "{\"old\":\"price\",\"new\":\"x\",\"format\":\"intval\"}", "12"),
    entry("round", ("rounded to n decimals (default 2)", "四舍五入到 n 位(默认 2)"), "{\"old\":\"price\",\"new\":\"x\",\"format\":\"round(0)\"}", "13"),
    entry("amount", ("money with thousands separators", "带千位分隔的金额"), "{\"old\":\"price\",\"new\":\"x\",\"format\":\"amount\"}", "\"￥12.50\""),
    entry("implode", ("a list as text with a separator", "以分隔符连接列表"), "{\"old\":\"list\",\"new\":\"x\",\"format\":\"implode('|')\"}", "\"p|q\""),
    entry("string", ("the value as text, every digit kept", "转文本,保留全部数字"), "{\"old\":\"qty\",\"new\":\"x\",\"format\":\"string\"}", "\"3\""),
    entry("float", ("the value as a number", "转数字"), "{\"old\":\"price\",\"new\":\"x\",\"format\":\"float\"}", "12.50"),
    entry("bool", ("the value as true or false", "转布尔"), "{\"old\":\"yes\",\"new\":\"x\",\"format\":\"bool\"}", "true"),
    entry("json", ("the value as JSON text", "转 JSON 文本"), "{\"old\":\"list\",\"new\":\"x\",\"format\":\"json\"}", "\"[\\\"p\\\",\\\"q\\\"]\""),
];

/// Logics of `condition` (dialect §2.7); the result says whether the record is kept.
#[rustfmt::skip]
pub const LOGICS: &[Entry] = &[
    entry("eq", ("equal; as numbers where both look like numbers", "相等,两侧都像数字时按数字比较"), "{\"field\":\"qty\",\"logic\":\"eq\",\"value\":\"3.0\"}", "true"),
    entry("neq", ("not equal", "不等"), "{\"field\":\"no\",\"logic\":\"neq\",\"value\":\"SO-7\"}", "false"),
    entry("gt", ("greater", "大于"), "{\"field\":\"qty\",\"logic\":\"gt\",\"value\":2}", "true"),
    entry("egt", ("greater or equal; `timestamp:` compares as time", "大于等于;`timestamp:` 按时间比较"), "{\"field\":\"created\",\"logic\":\"egt\",\"value\":\"timestamp:1710480000\"}", "true"),
    entry("lt", ("less", "小于"), "{\"field\":\"qty\",\"logic\":\"lt\",\"value\":3}", "false"),
    entry("elt", ("less or equal", "小于等于"), "{\"field\":\"qty\",\"logic\":\"elt\",\"value\":3}", "true"),
    entry("like", ("contains the text", "包含文本"), "{\"field\":\"note\",\"logic\":\"like\",\"value\":\"仔细\"}", "true"),
    entry("notlike", ("does not contain it", "不包含"), "{\"field\":\"note\",\"logic\":\"notlike\",\"value\":\"仔细\"}", "false"),
    entry("between", ("between two values, both included", "介于两值之间(含)"), "{\"field\":\"price\",\"logic\":\"between\",\"value\":\"10,20\"}", "true"),
    entry("notnull", ("has a value", "有值"), "{\"field\":\"nil\",\"logic\":\"notnull\"}", "false"),
    entry("isnull", ("missing, null, blank or an empty list", "缺失、null、空文本或空列表"), "{\"field\":\"nil\",\"logic\":\"isnull\"}", "true"),
    entry("in", ("one of a comma list", "在逗号列表中"), "{\"field\":\"no\",\"logic\":\"in\",\"value\":\"SO-6,SO-7\"}", "true"),
    entry("notin", ("none of a comma list", "不在逗号列表中"), "{\"field\":\"no\",\"logic\":\"notin\",\"value\":\"SO-6,SO-7\"}", "false"),
];
