//! Codes of the area `dialect`: metadata, expressions, mapping.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-2001",
        ("the metadata is not one JSON object", "元数据不是一个 JSON 对象"),
        (
            "a list, a text or a number stands where the document of a side belongs",
            "应为单侧文档的位置写成了列表、文本或数字",
        ),
        (
            "give one object with at least `api`, and `id` on the source side",
            "请写成一个对象,至少含 `api`,源端还需 `id`",
        ),
    ),
    code(
        "HL-2002",
        ("unknown key", "未知的键"),
        ("a misspelt key, or one that this dialect does not have", "键名拼写有误,或方言中没有该键"),
        (
            "take the name that the message proposes; keys that mean nothing are kept and ignored",
            "请改用提示中的名称;无意义的键会保留但不起作用",
        ),
    ),
    code(
        "HL-2003",
        ("`api` is missing", "缺少 `api`"),
        ("the document does not say which interface is called", "文档没有说明调用哪个接口"),
        (
            "give the path, method name or operation word, such as `/open/shops/query` or `batchexecute`",
            "请填写路径、方法名或操作名,例如 `/open/shops/query`、`batchexecute`",
        ),
    ),
    code(
        "HL-2004",
        ("`id` is missing or no field", "缺少 `id`,或它不是字段名"),
        (
            "a source must say which field of its reply identifies a record",
            "源端须说明响应中哪个字段唯一标识一条数据",
        ),
        (
            "name the unique field, such as `io_id`; a dotted path is allowed, several fields are written `{{a}}-{{b}}`",
            "请填写唯一字段,例如 `io_id`,可用点号路径;多个字段请写 `{{a}}-{{b}}`",
        ),
    ),
    code(
        "HL-2005",
        ("the page size is out of range", "每页行数超出范围"),
        ("`pagination.pageSize` is below 1 or above 100 000", "`pagination.pageSize` 小于 1 或大于 100000"),
        ("take the platform's limit or less", "请取平台上限或更小的值"),
    ),
    code(
        "HL-2006",
        ("a list of items is expected", "此处应为字段项列表"),
        (
            "`request` and its like hold a list of objects with `field`",
            "`request` 等应为含 `field` 的对象列表",
        ),
        ("write `[{\"field\": \"…\", \"value\": \"…\"}]`", "请写成 `[{\"field\": \"…\", \"value\": \"…\"}]`"),
    ),
    code(
        "HL-2007",
        ("an item is not an object", "字段项不是对象"),
        ("a list of items holds a bare text or number", "字段项列表中有单独的文本或数字"),
        ("write each item as an object with at least `field`", "请将每项写成至少含 `field` 的对象"),
    ),
    code(
        "HL-2008",
        ("an item has no `field`", "字段项缺少 `field`"),
        ("the name under which the value is sent is not given", "没有给出发送该值所用的名称"),
        ("add `field`", "请补上 `field`"),
    ),
    code(
        "HL-2009",
        ("unknown item type", "未知的字段类型"),
        (
            "`type` is none of string, int, float, bool, datetime, date, object, array",
            "`type` 不在 string、int、float、bool、datetime、date、object、array 之中",
        ),
        ("correct the type; until then the value is sent as it is", "请更正类型;在此之前按原值发送"),
    ),
    code(
        "HL-2010",
        ("the grouping cannot work", "分组配置不可用"),
        (
            "`groupCalculate` or `operation` lacks grouping fields, or names an unknown calculation",
            "`groupCalculate` 或 `operation` 缺少分组字段,或使用了未知的计算",
        ),
        (
            "give `headerGroup` or `bodyGroup`; calculations are $sum $avg $min $max $push $addToSet $first $last",
            "请填写 `headerGroup` 或 `bodyGroup`;计算有 $sum $avg $min $max $push $addToSet $first $last",
        ),
    ),
    code(
        "HL-2101",
        ("a reference looks like a built-in variable but is none", "引用形似内置变量,但并不存在"),
        (
            "a misspelt variable, such as `LAST_SYNC_TIM`; it is read as a field of the record and is probably absent",
            "变量名拼写有误,例如 `LAST_SYNC_TIM`;会按数据字段读取,多半取不到值",
        ),
        ("take the name that the message proposes", "请改用提示中的名称"),
    ),
    code(
        "HL-2110",
        ("unknown pipe format", "未知的管道格式"),
        ("the word behind `|` in a reference is not known", "引用中 `|` 之后的格式名不存在"),
        (
            "take the name that the message proposes; until then the value stays unchanged",
            "请改用提示中的名称;在此之前值保持不变",
        ),
    ),
    code(
        "HL-2120",
        ("unknown parser", "未知的解析器"),
        ("`parser.name` or `parser.type` is not known", "`parser.name` 或 `parser.type` 不存在"),
        ("take the name that the message proposes", "请改用提示中的名称"),
    ),
    code(
        "HL-2121",
        ("a parser's parameters are wrong", "解析器的参数有误"),
        ("a pattern, path or delimiter of the parser cannot be read", "解析器的表达式、路径或分隔符无法读取"),
        ("correct the parameter that the message shows", "请更正提示中的参数"),
    ),
    code(
        "HL-2122",
        ("a parser cannot read the value", "解析器无法处理该值"),
        ("the value has not the form that the parser expects", "值的形式与解析器要求的不符"),
        ("look at the record's value, or choose another parser", "请检查数据中的值,或改用其他解析器"),
    ),
    code(
        "HL-2130",
        ("an entry of `formatResponse` has no `old`", "`formatResponse` 的某项缺少 `old`"),
        ("the field to be formatted is not named", "没有指出要格式化的字段"),
        ("add `old`, and `new` for the name of the copy", "请补上 `old`,并用 `new` 给出副本的名称"),
    ),
    code(
        "HL-2131",
        ("unknown format", "未知的格式"),
        ("the format of `formatResponse` is not known", "`formatResponse` 的格式名不存在"),
        ("take the name that the message proposes", "请改用提示中的名称"),
    ),
    code(
        "HL-2140",
        ("a condition has the wrong form", "条件的形式有误"),
        (
            "`condition` is a list of lists of objects with `field`, `logic`, `value`",
            "`condition` 应为由 `field`、`logic`、`value` 对象组成的二维列表",
        ),
        ("the outer list is OR, the inner one AND", "外层列表为“或”,内层列表为“且”"),
    ),
    code(
        "HL-2141",
        ("unknown logic of a condition", "未知的条件逻辑"),
        (
            "`logic` is none of eq neq gt egt lt elt like notlike between notnull isnull",
            "`logic` 不在 eq neq gt egt lt elt like notlike between notnull isnull 之中",
        ),
        ("take the word that the message proposes", "请改用提示中的词"),
    ),
    code(
        "HL-2210",
        ("the record's content cannot be read", "数据内容无法读取"),
        ("the stored content is not a JSON object", "保存的内容不是 JSON 对象"),
        ("look at the record with `heliu trace`", "请用 `heliu trace` 查看该数据"),
    ),
    code(
        "HL-2211",
        ("a placeholder in the path has no value", "路径占位符没有取值"),
        (
            "`{name}` in `api` is filled from an item of that name, and there is none or it is empty",
            "`api` 中的 `{name}` 由同名字段填充,而该字段不存在或为空",
        ),
        ("add an item with that field", "请添加同名字段"),
    ),
    code(
        "HL-2212",
        ("a required field has no value", "必填字段没有取值"),
        (
            "`is_required` is set, and the value is missing, null or blank for this record",
            "字段设为必填,而该数据的值缺失、为 null 或空白",
        ),
        (
            "mend the source data, give a `default`, or make the field optional; then `heliu retry`",
            "请修正源数据、设置 `default` 或取消必填,然后执行 `heliu retry`",
        ),
    ),
    code(
        "HL-2213",
        ("a value does not fit its type", "值与类型不符"),
        (
            "the item's `type` asks for a number or a boolean and the value is none",
            "字段类型要求数字或布尔值,而实际值不是",
        ),
        ("correct the type, or the expression", "请更正类型或表达式"),
    ),
    code(
        "HL-2214",
        ("there is nothing to send", "没有可发送的内容"),
        ("every field of the request came out empty for this record", "该数据的所有请求字段均为空"),
        ("check the names that the expressions read", "请检查表达式读取的字段名"),
    ),
    code(
        "HL-2215",
        ("a value has no entry in its map", "值在映射表中没有对应项"),
        (
            "the static map of the field does not hold this value, and the field's policy is to fail",
            "字段的静态映射表没有该值,且策略为报错",
        ),
        (
            "add the value to the map, or let unmapped values be kept",
            "请在映射表中添加该值,或将策略改为保留原值",
        ),
    ),
    code(
        "HL-2216",
        ("a rendering left something to be looked at", "渲染时有需要留意之处"),
        (
            "records were rendered and written, but a lookup named a plan without records here (it finds nothing), a time could not be read, or a value had no entry in its map",
            "数据已渲染并写出,但联查所指的方案在此处没有数据(视为未找到)、时间无法识别,或值在映射表中没有对应项",
        ),
        (
            "look at the records with `heliu preview PLAN --key ID`, and mend the expression or run the other plan first; `heliu retry PLAN --state written` writes them again",
            "请用 `heliu preview 方案 --key ID` 查看,修改表达式或先运行另一方案;`heliu retry 方案 --state written` 可重新写出",
        ),
    ),
    code(
        "HL-2220",
        ("the row does not exist", "指定的行不存在"),
        ("`--row` names a list and a position, counted from 0", "`--row` 由列表名和从 0 开始的序号组成"),
        ("write `path:n`, such as `items:0`", "请写成 `路径:n`,例如 `items:0`"),
    ),
    code(
        "HL-2301",
        ("a `_function` cannot be parsed", "`_function` 无法解析"),
        (
            "the text behind `_function` is not a MySQL select expression",
            "`_function` 之后不是 MySQL 查询表达式",
        ),
        (
            "look at the position that the message names: brackets, quotes, commas",
            "请查看提示的位置:括号、引号、逗号",
        ),
    ),
    code(
        "HL-2302",
        ("unknown function", "未知的函数"),
        ("the name is no MySQL function that heliu knows", "该名称不是 heliu 支持的 MySQL 函数"),
        (
            "take the name that the message proposes, if it has one; docs/reference lists every function",
            "若提示中给出名称请改用之;docs/reference 列有全部函数",
        ),
    ),
    code(
        "HL-2303",
        ("wrong number of arguments", "参数个数有误"),
        ("the function takes more or fewer arguments", "函数所需的参数更多或更少"),
        ("give as many as the message says", "请按提示的个数填写"),
    ),
    code(
        "HL-2304",
        ("not part of a select expression", "不属于查询表达式"),
        (
            "subqueries, columns, variables, window functions and statements cannot stand in `_function`",
            "`_function` 中不能使用子查询、列名、变量、窗口函数和语句",
        ),
        ("write `{{field}}` for a value of the record; quote texts", "数据的值写成 `{{字段}}`,文本加引号"),
    ),
    code(
        "HL-2310",
        ("division by zero", "除数为零"),
        ("the divisor is 0 for this record", "该数据的除数为 0"),
        ("guard it: `IF({{n}} = 0, 0, {{a}} / {{n}})`", "请加判断:`IF({{n}} = 0, 0, {{a}} / {{n}})`"),
    ),
    code(
        "HL-2311",
        ("a result is out of range", "结果超出范围"),
        ("a number, date or text became larger than MySQL allows", "数字、日期或文本超出 MySQL 允许的范围"),
        ("check the values of the record", "请检查数据的值"),
    ),
    code(
        "HL-2312",
        ("a function does not take this argument", "函数不接受该参数"),
        (
            "the value is of another type than the function takes, or its pattern has letters that it does not know; MariaDB refuses it as well",
            "参数的类型不符合函数要求,或模式中有无法识别的字母;MariaDB 同样会拒绝",
        ),
        (
            "write what the message says; docs/reference lists every function",
            "请按提示填写;docs/reference 列有全部函数",
        ),
    ),
    code(
        "HL-2401",
        ("a `_findCollection` cannot be read", "`_findCollection` 无法解析"),
        (
            "every separator is one blank, and there is none around `=`",
            "各部分以单个空格分隔,`=` 两侧没有空格",
        ),
        (
            "write `_findCollection find FIELD from PLAN where KEY={{value}}`",
            "请写成 `_findCollection find 字段 from 方案 where 键={{值}}`",
        ),
    ),
    code(
        "HL-2402",
        ("a lookup has no records to search", "联查没有可查的数据"),
        (
            "lookups read the records of other plans, and this command has no ledger at hand",
            "联查读取其他方案的数据,而当前命令没有可用的台账",
        ),
        ("run it inside a project directory", "请在项目目录中执行"),
    ),
    code(
        "HL-2403",
        ("a lookup failed", "联查失败"),
        (
            "the ledger could not be read, or the filter is none; a plan without records here is no failure, the lookup finds nothing",
            "台账无法读取,或筛选条件有误;所指方案没有数据时不算失败,只是查不到",
        ),
        ("look at the message, and at the filter behind `where`", "请查看错误信息与 `where` 之后的条件"),
    ),
    code(
        "HL-2404",
        ("a `_mongoQuery` cannot be read", "`_mongoQuery` 无法解析"),
        (
            "it needs the plan's id, `findField=` and `where=` with a filter in JSON",
            "需要方案 id、`findField=` 以及 JSON 形式的 `where=`",
        ),
        (
            "write `_mongoQuery PLAN findField=content.FIELD where={…}`",
            "请写成 `_mongoQuery 方案 findField=content.字段 where={…}`",
        ),
    ),
];
