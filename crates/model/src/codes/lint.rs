//! What an experienced consultant would say about a plan: one definition per finding of `heliu check`.

use super::{Code, code};
use crate::{Problem, Severity, Text};

/// A finding that `heliu check` can make about a plan that is well formed.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// Error: the plan cannot run as written. Warning: it probably does not do what its author meant.
    pub severity: Severity,
    /// Code and page.
    pub page: Code,
}

impl Lint {
    /// The finding at a JSON path of the plan, with what was found.
    #[must_use]
    pub fn at(&self, path: impl Into<String>, found: Text) -> Problem {
        match self.severity {
            Severity::Error => Problem::error(self.page.id, path, found),
            Severity::Warning => Problem::warning(self.page.id, path, found),
        }
    }
}

const fn warning(
    id: &'static str,
    title: (&'static str, &'static str),
    cause: (&'static str, &'static str),
    todo: (&'static str, &'static str),
) -> Lint {
    Lint { severity: Severity::Warning, page: code(id, title, cause, todo) }
}

const fn error(
    id: &'static str,
    title: (&'static str, &'static str),
    cause: (&'static str, &'static str),
    todo: (&'static str, &'static str),
) -> Lint {
    Lint { severity: Severity::Error, page: code(id, title, cause, todo) }
}

/// An interface that the catalogue does not know.
pub const UNCATALOGUED: Lint = warning(
    "HL-1035",
    ("the interface is not in the catalogue", "接口不在目录中"),
    (
        "`api` is misspelt, or the platform has it and the built-in catalogue does not know it",
        "`api` 拼写有误,或平台有该接口但内置目录未收录",
    ),
    ("check the name; it is called as written", "请检查接口名;将按原样调用"),
);

/// A page larger than the platform gives.
pub const PAGE_TOO_LARGE: Lint = warning(
    "HL-1036",
    ("a page is larger than the platform gives", "每页行数超过平台上限"),
    (
        "the page size is above the interface's limit; the platform would cut the page",
        "每页行数高于接口上限,平台会截断",
    ),
    ("write the limit that the message names", "请改为提示中的上限"),
);

/// A key that is not unique.
pub const KEY_NOT_UNIQUE: Lint = warning(
    "HL-1037",
    ("the key is not unique on this interface", "该字段在此接口中不唯一"),
    (
        "outbound documents are keyed by `io_id`; one order (`o_id`) can have several",
        "出库单以 `io_id` 唯一,一个订单(`o_id`)可能有多张",
    ),
    ("use the field that the message proposes as `id`", "请将提示中的字段设为 `id`"),
);

/// `after` names no plan.
pub const UNKNOWN_AFTER: Lint = error(
    "HL-1060",
    ("`after` names a plan that is not there", "`after` 指向的方案不存在"),
    ("the name is misspelt, or the plan was removed", "名称拼写有误,或该方案已删除"),
    ("write the name of a plan of this project", "请填写本项目中的方案名"),
);

/// A plain INSERT meets its own rows.
pub const PLAIN_INSERT: Lint = warning(
    "HL-1061",
    ("a plain INSERT meets its own rows", "普通 INSERT 会与已有的行冲突"),
    (
        "with `onChange: \"update\"` a changed record is written again, and the row is there already",
        "`onChange: \"update\"` 时变化的数据会再次写入,而该行已存在",
    ),
    (
        "use REPLACE or INSERT … ON DUPLICATE KEY UPDATE over a unique key, or `onChange: \"ignore\"`",
        "请在唯一键上使用 REPLACE 或 INSERT … ON DUPLICATE KEY UPDATE,或设 `onChange: \"ignore\"`",
    ),
);

/// `idCheck: false` writes everything again.
pub const REWRITES_ALL: Lint = warning(
    "HL-1062",
    ("every run writes every record again", "每次运行都会重写所有数据"),
    ("`idCheck` is false: unchanged records count as changed", "`idCheck` 为 false:未变化的数据也视为变化"),
    ("set it to true unless that is wanted", "如非有意,请设为 true"),
);

/// Updates are read and thrown away.
pub const UPDATES_IGNORED: Lint = warning(
    "HL-1063",
    ("updates are read and thrown away", "更新会被读取后丢弃"),
    (
        "the source is read by a time window, and `onChange: \"ignore\"` keeps the first version of each record",
        "来源按时间窗口读取,而 `onChange: \"ignore\"` 只保留每条数据的首个版本",
    ),
    (
        "use `onChange: \"update\"` to have changed records written again",
        "如需更新已写入的数据,请用 `onChange: \"update\"`",
    ),
);

/// Two plans with one id.
pub const SAME_ID: Lint = error(
    "HL-1064",
    ("two plans have the same id", "两个方案的 id 相同"),
    ("a plan file was copied together with its `id`", "复制方案文件时连同 `id` 一起复制"),
    ("lookups name plans by id: give each its own", "联查按 id 引用方案,请为每个方案使用不同的 id"),
);

/// Plans that trigger each other.
pub const CIRCLE: Lint = error(
    "HL-1065",
    ("plans trigger each other in a circle", "方案之间循环触发"),
    (
        "following `after` from plan to plan leads back to the first one",
        "沿着 `after` 逐个查找,会回到最初的方案",
    ),
    (
        "remove `after` from one plan of the circle and give it a `schedule`",
        "从循环中的某个方案删除 `after`,并为其设置 `schedule`",
    ),
);

/// The window begins at a fixed distance from now.
pub const NAIVE_BEGIN: Lint = warning(
    "HL-1070",
    ("the window begins at a fixed distance from now", "窗口从当前时间往前固定时长开始"),
    (
        "the begin is CURRENT_TIME minus a constant (or DAYS_AGO_n): when the plan stands still for longer, what changed in between is never read",
        "开始时间是 CURRENT_TIME 减去常数(或 DAYS_AGO_n):方案停运超过该时长,其间的变化将永远读不到",
    ),
    (
        "begin with `{{LAST_SYNC_TIME|datetime}}`; the plan's `lookback` adds the overlap",
        "请以 `{{LAST_SYNC_TIME|datetime}}` 开始,由方案的 `lookback` 提供重叠",
    ),
);

/// The window begins at a constant.
pub const FIXED_BEGIN: Lint = warning(
    "HL-1071",
    ("the window begins at a constant", "窗口的开始是常数"),
    (
        "every run reads everything since that day again, and more of it each time",
        "每次运行都会重读该日之后的全部数据,且越来越多",
    ),
    (
        "begin with `{{LAST_SYNC_TIME|datetime}}`, and give the first day as `start` of the plan",
        "请以 `{{LAST_SYNC_TIME|datetime}}` 开始,首日写在方案的 `start` 中",
    ),
);

/// The window's end does not follow the clock.
pub const NAIVE_END: Lint = warning(
    "HL-1072",
    ("the window's end is not the run's time", "窗口的结束不是运行时刻"),
    (
        "the end is a constant, or counted from the window's begin: changes behind it are read late or never, while the watermark moves on",
        "结束是常数,或由开始时间推算:其后的变化会延迟读取或永远读不到,而水位线仍会前移",
    ),
    (
        "end with `{{CURRENT_TIME|datetime}}`; cut long ranges with the plan's `window`",
        "请以 `{{CURRENT_TIME|datetime}}` 结束;较长的范围用方案的 `window` 切分",
    ),
);

/// Windows do not overlap.
pub const NO_OVERLAP: Lint = warning(
    "HL-1073",
    ("windows do not overlap", "窗口之间没有重叠"),
    (
        "`lookback` is 0 and the begin is exactly LAST_SYNC_TIME: a record that the source shows late falls between two windows",
        "`lookback` 为 0 且开始恰为 LAST_SYNC_TIME:来源延迟显示的数据会落在两个窗口之间",
    ),
    (
        "leave `lookback` at its 10 minutes, or begin a few minutes earlier",
        "请保留默认 10 分钟的 `lookback`,或将开始提前几分钟",
    ),
);

/// The window is longer than the platform answers.
pub const WINDOW_TOO_LONG: Lint = warning(
    "HL-1074",
    ("the window is longer than the platform answers", "窗口超过平台允许的长度"),
    ("the interface refuses or cuts ranges above its limit", "接口会拒绝或截断超过上限的时间范围"),
    (
        "shorten the plan's `window`, or the constant in the expression",
        "请缩短方案的 `window` 或表达式中的常数",
    ),
);

/// The window ends before it begins.
pub const EMPTY_WINDOW: Lint = warning(
    "HL-1075",
    ("the window ends before it begins", "窗口的结束早于开始"),
    ("the two expressions are swapped, or one has a wrong sign or unit", "两个表达式写反,或正负号、单位有误"),
    ("compare the two values that the message shows", "请对照提示中的两个值"),
);

/// `idCheck` meets modification times.
pub const IDCHECK_UPDATES: Lint = warning(
    "HL-1076",
    ("`idCheck` and increments by modification time", "`idCheck` 与按修改时间的增量读取"),
    (
        "with the vendor, idCheck=true throws a known record's later versions away, although the window reads them",
        "在原平台上,idCheck=true 会丢弃已有数据的后续版本,尽管窗口会读到它们",
    ),
    (
        "nothing, if updates are wanted: heliu writes changed records again (`onChange: \"update\"`); `onChange: \"ignore\"` does as the vendor",
        "如需更新则无需处理:heliu 会再次写入变化的数据(`onChange: \"update\"`);`onChange: \"ignore\"` 与原平台一致",
    ),
);

/// An offset that looks like milliseconds.
pub const MILLISECONDS: Lint = warning(
    "HL-1077",
    ("an offset looks like milliseconds", "偏移量疑似毫秒"),
    (
        "LAST_SYNC_TIME and CURRENT_TIME are seconds: 600000 is almost seven days, not ten minutes",
        "LAST_SYNC_TIME 与 CURRENT_TIME 以秒为单位:600000 接近七天,而不是十分钟",
    ),
    ("divide the number by 1000", "请将该数除以 1000"),
);

/// A reference to a field that no sample shows.
pub const UNKNOWN_FIELD: Lint = warning(
    "HL-1078",
    ("no sample shows this field", "样例中没有该字段"),
    (
        "the name is misspelt, or the field is missing in all records seen so far",
        "名称拼写有误,或目前所有数据都没有该字段",
    ),
    (
        "take the name that the message proposes, or ignore this where the field is rare",
        "请改用提示中的名称;若该字段偶尔才有,可忽略",
    ),
);

/// A lookup into a plan that is not there.
pub const UNKNOWN_LOOKUP: Lint = warning(
    "HL-1079",
    ("a lookup names a plan that is not there", "联查的方案不存在"),
    (
        "no plan of this project has that id: the lookup finds nothing",
        "本项目没有该 id 的方案:联查不会有结果",
    ),
    (
        "import that plan too, or write the id of the plan that holds the records",
        "请一并导入该方案,或填写保存数据的方案 id",
    ),
);

/// A value map that is not there.
pub const UNKNOWN_MAP: Lint = warning(
    "HL-1080",
    ("a value map is not there", "映射表不存在"),
    (
        "`mapping.target` names a map that is not in maps/: values stay as they are",
        "`mapping.target` 指向的映射表不在 maps/ 中:值保持不变",
    ),
    ("import it with `heliu import FILE --map ID`", "请用 `heliu import 文件 --map 编号` 导入"),
);

/// `dateTime` has no seconds.
pub const MINUTES_ONLY: Lint = warning(
    "HL-1081",
    ("`dateTime` of formatResponse has no seconds", "formatResponse 的 `dateTime` 不含秒"),
    (
        "the vendor's format stops at minutes (the pipe of the same name does not)",
        "原平台的该格式只到分钟(同名管道则含秒)",
    ),
    ("write `dateTime('Y-m-d H:i:s')` where seconds are wanted", "需要秒时请写 `dateTime('Y-m-d H:i:s')`"),
);

/// One field twice in a list.
pub const DUPLICATE_FIELD: Lint = warning(
    "HL-1082",
    ("a field is given twice", "字段重复"),
    ("of items with the same `field` the last one wins", "同名字段以最后一个为准"),
    ("remove the one that is not meant", "请删除多余的一个"),
);

/// Required and without a value.
pub const NO_VALUE: Lint = error(
    "HL-1083",
    ("a required field has neither value nor default", "必填字段既没有值也没有默认值"),
    ("every rendering fails with HL-2212", "每次渲染都会因 HL-2212 失败"),
    (
        "give it a `value` or `default`, or set `is_required` to false",
        "请填写 `value` 或 `default`,或将 `is_required` 设为 false",
    ),
);

/// A single brace inside of text.
pub const SINGLE_BRACE: Lint = warning(
    "HL-1084",
    ("single braces inside of text are plain characters", "文本中的单花括号是普通字符"),
    (
        "`{x}` is a reference only as the whole value, or as a whole operand of `_function` or a lookup; inside of text it takes two",
        "`{x}` 只有作为整个值,或作为 `_function`、联查中的整个操作数时才是引用;文本中须用双花括号",
    ),
    ("write `{{x}}`", "请写成 `{{x}}`"),
);

/// A blank before a directive.
pub const LEADING_BLANK: Lint = warning(
    "HL-1085",
    ("a blank stands before `_function` or a lookup", "`_function` 或联查之前有空格"),
    (
        "a directive counts only at the very beginning: with a blank in front it is sent as text",
        "指令只有位于最开头才有效:前面有空格时会作为文本发送",
    ),
    ("remove the blank", "请删除空格"),
);

/// A nested lookup without its end.
pub const NO_END_FIND: Lint = warning(
    "HL-1086",
    ("a nested lookup has no `_endFind`", "嵌套的联查缺少 `_endFind`"),
    (
        "inside of `_function` the lookup must say where it ends; without it the next comma or bracket is taken",
        "在 `_function` 中联查须标明结束;缺少时以下一个逗号或括号为界",
    ),
    ("write `_endFind` behind the last condition", "请在最后一个条件之后写 `_endFind`"),
);

/// `${…}` is plain text.
pub const DOLLAR_BRACE: Lint = warning(
    "HL-1087",
    ("`${…}` is plain text", "`${…}` 是普通文本"),
    (
        "that form belongs to the generic layer; metadata does not evaluate it",
        "该形式属于通用层,元数据不会计算",
    ),
    ("write `{{name}}`", "请写成 `{{名称}}`"),
);

/// Columns and fields in another order.
pub const COLUMN_ORDER: Lint = warning(
    "HL-1088",
    ("columns and fields stand in another order", "列与字段的顺序不同"),
    (
        "values are bound by position: each goes into the column at its place, whatever its name",
        "取值按位置绑定:无论名称如何,都写入对应位置的列",
    ),
    ("put the fields in the order of the columns", "请按列的顺序排列字段"),
);

/// One id for all parts of a split.
pub const SPLIT_ID: Lint = warning(
    "HL-1089",
    ("all parts of a split have one id", "拆分后的各部分 id 相同"),
    (
        "`splitArray` makes a record of each element, and `id` names a field of the header",
        "`splitArray` 会将每个元素拆为一条数据,而 `id` 是表头字段",
    ),
    ("name a field of the element, such as `items.sku_id`", "请使用元素的字段,例如 `items.sku_id`"),
);

/// A secret in the metadata.
pub const SECRET: Lint = warning(
    "HL-1090",
    ("a secret stands in the metadata", "元数据中有机密"),
    (
        "tokens and passwords in a plan are copied wherever the plan goes",
        "方案中的令牌与密码会随方案文件流传",
    ),
    ("put it into the connector's credentials", "请移到连接器的凭证中"),
);

/// A plan that is to be read or written for, and is not there.
pub const UNKNOWN_STORED: Lint = error(
    "HL-1091",
    ("there is no such plan to read from or write for", "要读取或写入的方案不存在"),
    (
        "`scheme_id` of a query or data write on this ledger names no plan of the project",
        "本台账的查询或数据写入中,`scheme_id` 不是本项目的方案",
    ),
    ("name the plan by its file name or its `id`", "请填写方案的文件名或其 `id`"),
);

/// A plan that reads its own records, or writes for itself.
pub const READS_ITSELF: Lint = error(
    "HL-1092",
    ("a plan reads its own records", "方案读取自身的数据"),
    (
        "`scheme_id` names the plan itself: what it stores would be its own source",
        "`scheme_id` 是方案自身:其保存的数据又成为自己的来源",
    ),
    ("name the other plan", "请填写另一个方案"),
);

/// The plan that `callBackStrategy` names is not there, or takes nothing.
pub const NOT_RECEIVED: Lint = warning(
    "HL-1096",
    ("nobody receives what is passed on", "回写没有接收方"),
    (
        "`callBackStrategy` names a plan that is not in this project, or whose source is not the `callback` interface of this ledger: records are written, and nothing is passed on",
        "`callBackStrategy` 指定的方案不在本项目中,或其来源不是本台账的 `callback` 接口:数据会写入,但不会回写传递",
    ),
    (
        "import the receiving plan, or give it a source with platform `heliu`, api `callback`, and `id` and `number`; then `heliu retry --state written` passes on what was written before",
        "请导入接收方案,或将其来源设为平台 `heliu`、api `callback` 并设置 `id` 与 `number`;之后用 `heliu retry --state written` 传递此前已写入的数据",
    ),
);

/// An operation that the interface does not have.
pub const OPERATION: Lint = error(
    "HL-1097",
    ("the interface cannot do this operation", "接口无法执行该操作"),
    (
        "`Operation` of `otherRequest` decides what is called; this one needs documents that are there already (named by `Numbers` or `Ids`), or is misspelt",
        "`otherRequest` 的 `Operation` 决定调用什么;该操作需要用 `Numbers` 或 `Ids` 指明已有单据,或拼写有误",
    ),
    (
        "write one of the operations that the message names; to save, then submit, let a second plan submit what the first one saved",
        "请改为提示中列出的操作;如需先保存再提交,请由第二个方案提交第一个方案保存的单据",
    ),
);

/// A key that is kept and changes nothing.
pub const WITHOUT_EFFECT: Lint = warning(
    "HL-1098",
    ("a key is kept and changes nothing", "该键会保留,但不起作用"),
    (
        "the vendor's platform gives the key a meaning that heliu reaches in another way, or does not have; the plan runs without it",
        "该键在原平台有含义,而 heliu 以其他方式实现或没有该功能;方案会在不使用它的情况下运行",
    ),
    (
        "the message says what stands for it; remove the key when that is settled",
        "提示中说明了替代方式;处理后可删除该键",
    ),
);

/// `_response` tells of successes only.
pub const RESPONSE_OF_FAILURES: Lint = warning(
    "HL-1099",
    ("`_response` tells of successes only", "`_response` 只反映成功的写入"),
    (
        "`primaryWriteback` is read from the reply of a record that was written, where `{{_response}}` is that reply; a refused record keeps its reason instead, and is not passed on",
        "`primaryWriteback` 取自写入成功的响应,`{{_response}}` 即该响应;被拒绝的数据只保留原因,不会回写传递",
    ),
    (
        "see why records failed with `heliu records PLAN --state failed`; alerts can send it",
        "用 `heliu records 方案 --state failed` 查看失败原因;也可通过告警发送",
    ),
);

/// Plans that feed each other.
pub const FEED_EACH_OTHER: Lint = warning(
    "HL-1100",
    ("plans feed each other in a circle", "方案之间循环传递数据"),
    (
        "following `callBackStrategy`, data writes, reads of other plans' records and `after` from plan to plan leads back: each new version that is passed on can make another one",
        "沿着 `callBackStrategy`、数据写入、读取其他方案的数据与 `after` 逐个查找,会回到本方案:每次传递的新版本都可能再产生新版本",
    ),
    (
        "nothing, where two plans keep each other's numbers: records that do not change are not written again, and the circle ends. Where what is passed on differs each time (times, counters), it does not end: leave those out, or name them in `hashIgnore` of the receiving plan",
        "若两个方案只是互相保存对方的单号,则无需处理:未变化的数据不会再次写入,循环自行结束。若每次传递的内容都不同(如时间、计数),循环不会结束:请去掉这些内容,或将其列入接收方案的 `hashIgnore`",
    ),
);

/// Every lint, in the order of its code.
pub const ALL: &[Lint] = &[
    UNCATALOGUED,
    PAGE_TOO_LARGE,
    KEY_NOT_UNIQUE,
    UNKNOWN_AFTER,
    PLAIN_INSERT,
    REWRITES_ALL,
    UPDATES_IGNORED,
    SAME_ID,
    CIRCLE,
    NAIVE_BEGIN,
    FIXED_BEGIN,
    NAIVE_END,
    NO_OVERLAP,
    WINDOW_TOO_LONG,
    EMPTY_WINDOW,
    IDCHECK_UPDATES,
    MILLISECONDS,
    UNKNOWN_FIELD,
    UNKNOWN_LOOKUP,
    UNKNOWN_MAP,
    MINUTES_ONLY,
    DUPLICATE_FIELD,
    NO_VALUE,
    SINGLE_BRACE,
    LEADING_BLANK,
    NO_END_FIND,
    DOLLAR_BRACE,
    COLUMN_ORDER,
    SPLIT_ID,
    SECRET,
    UNKNOWN_STORED,
    READS_ITSELF,
    NOT_RECEIVED,
    OPERATION,
    WITHOUT_EFFECT,
    RESPONSE_OF_FAILURES,
    FEED_EACH_OTHER,
];
