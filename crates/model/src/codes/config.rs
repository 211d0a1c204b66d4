//! Codes of the area `config`: files of the project, connectors, platforms.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-1000",
        ("the configuration cannot be used", "配置无法使用"),
        ("a file of the project has errors", "项目中的某个文件有错误"),
        (
            "run `heliu check`: it lists every problem with its place",
            "执行 `heliu check`,会列出所有问题及位置",
        ),
    ),
    code(
        "HL-1001",
        ("the file is not valid JSON", "文件不是有效的 JSON"),
        (
            "a comma, quote or bracket is missing or too many, or the file is not UTF-8",
            "缺少或多出逗号、引号、括号,或文件不是 UTF-8 编码",
        ),
        (
            "look at the line and column of the message; text pasted from a page is mended by `heliu import`",
            "请查看提示的行列位置;从网页粘贴的文本可用 `heliu import` 修复",
        ),
    ),
    code(
        "HL-1002",
        ("the file cannot be read", "文件无法读取"),
        (
            "it is not there, may not be read, or is not valid TOML",
            "文件不存在、没有读取权限,或不是有效的 TOML",
        ),
        (
            "check the name and the rights; of TOML, the line of the message",
            "请检查文件名与权限;TOML 请查看提示的行",
        ),
    ),
    code(
        "HL-1003",
        ("unknown key", "未知的键"),
        ("a misspelt key in a plan, a connector or heliu.toml", "方案、连接器或 heliu.toml 中的键名拼写有误"),
        ("take the name that the message proposes", "请改用提示中的名称"),
    ),
    code(
        "HL-1004",
        ("a value has the wrong form", "值的形式有误"),
        ("a text stands where a number belongs, or the like", "例如应为数字的地方写成了文本"),
        ("write what the message asks for", "请按提示填写"),
    ),
    code(
        "HL-1005",
        ("not a duration", "不是时长"),
        ("a duration is a number with a unit", "时长由数字和单位组成"),
        ("write `30s`, `10m`, `2h` or `1d`", "请写成 `30s`、`10m`、`2h` 或 `1d`"),
    ),
    code(
        "HL-1006",
        ("unknown time zone", "未知的时区"),
        ("the name is not in the IANA list", "该名称不在 IANA 时区列表中"),
        ("write a name such as `Asia/Shanghai`", "请使用 `Asia/Shanghai` 这样的名称"),
    ),
    code(
        "HL-1007",
        ("a key is missing", "缺少必需的键"),
        ("the file lacks something that has no default", "缺少没有默认值的内容"),
        ("add the key that the message names", "请补上提示中的键"),
    ),
    code(
        "HL-1008",
        ("a credential cannot be read as written", "凭证的写法有误"),
        (
            "it is neither text nor `{ env = … }`, `{ secret = … }`, `{ file = … }`",
            "既不是文本,也不是 `{ env = … }`、`{ secret = … }`、`{ file = … }`",
        ),
        ("write one of these forms", "请使用上述写法之一"),
    ),
    code(
        "HL-1009",
        ("not a schedule", "不是有效的调度"),
        (
            "the cron expression has the wrong number of fields or values out of range",
            "cron 段数不对,或数值超出范围",
        ),
        (
            "write Quartz (`0 */5 * * * ?`), five fields (`*/5 * * * *`) or `every 5m`",
            "请使用 Quartz(`0 */5 * * * ?`)、五段式(`*/5 * * * *`)或 `every 5m`",
        ),
    ),
    code(
        "HL-1010",
        ("not a time", "不是时间"),
        ("`start` cannot be read as a time", "`start` 无法识别为时间"),
        (
            "write `2024-03-14 16:00:00`, RFC 3339, or unix seconds",
            "请写成 `2024-03-14 16:00:00`、RFC 3339 或 unix 秒",
        ),
    ),
    code(
        "HL-1011",
        ("not available yet", "暂不支持"),
        ("the setting asks for something that this version does not do", "该设置要求的功能当前版本尚未提供"),
        ("remove the setting, or use a newer version", "请删除该设置,或使用更新的版本"),
    ),
    code(
        "HL-1012",
        ("there is no such directory", "目录不存在"),
        ("`--project` names a directory that is not there", "`--project` 指定的目录不存在"),
        ("make one with `heliu init DIR`", "请用 `heliu init 目录` 新建"),
    ),
    code(
        "HL-1013",
        ("there is no such plan or connector", "没有该方案或连接器"),
        (
            "the name is misspelt, or its file in plans/ or connectors/ is missing",
            "名称拼写有误,或 plans/、connectors/ 中没有对应的文件",
        ),
        ("take the name that the message proposes, or make the file", "请改用提示中的名称,或新建文件"),
    ),
    code(
        "HL-1014",
        ("a credential's value is not there", "凭证没有取值"),
        (
            "the environment variable, file or sealed secret that the connector names does not exist",
            "连接器引用的环境变量、文件或机密不存在",
        ),
        ("set it; a sealed one with `heliu secret set NAME`", "请设置该值;机密用 `heliu secret set 名称`"),
    ),
    code(
        "HL-1015",
        ("the file cannot be written", "文件无法写入"),
        ("the directory does not exist, is read-only, or the disk is full", "目录不存在、只读,或磁盘已满"),
        ("choose another place, or mend the rights", "请换一个位置,或修正权限"),
    ),
    code(
        "HL-1017",
        ("a connector has two files", "连接器有两个文件"),
        (
            "`NAME.toml` and `NAME.json` both stand in connectors/; only the first is read",
            "connectors/ 中同时有 `名称.toml` 与 `名称.json`,只读取前者",
        ),
        ("remove the one that is not wanted", "请删除不需要的那个"),
    ),
    code(
        "HL-1018",
        ("a plan lies in a folder below plans/", "方案位于 plans/ 的子目录中"),
        (
            "a plan's name is its file's name, and a name with a slash could not be told from a path",
            "方案名称即文件名;含斜杠的名称无法与路径区分",
        ),
        ("move the file to plans/NAME.json", "请将文件移到 plans/名称.json"),
    ),
    code(
        "HL-1019",
        ("a key stands twice", "键重复出现"),
        (
            "an object has two members of one name; readers take the last one, and a change of the first has no effect",
            "同一对象中有两个同名的键;读取时以最后一个为准,修改前一个不会生效",
        ),
        (
            "remove the one that is not meant; the message names both places",
            "请删除多余的一个;提示中有两处的位置",
        ),
    ),
    code(
        "HL-1030",
        ("a credential is missing", "缺少凭证"),
        ("the platform cannot be called without it", "没有该凭证无法调用平台"),
        (
            "add it under `[credentials]`; `heliu platforms NAME` lists them",
            "请在 `[credentials]` 中补上;`heliu platforms 名称` 可列出",
        ),
    ),
    code(
        "HL-1031",
        ("the address is missing", "缺少地址"),
        (
            "the platform has no address of its own, and the connector gives none",
            "平台没有默认地址,连接器也未填写",
        ),
        ("add `base_url`", "请补上 `base_url`"),
    ),
    code(
        "HL-1032",
        ("unknown way to sign in", "未知的认证方式"),
        ("`auth` of an http connector is none of the known words", "http 连接器的 `auth` 不是已知的值"),
        ("use none, api_key, basic, bearer or oauth2", "可用 none、api_key、basic、bearer、oauth2"),
    ),
    code(
        "HL-1033",
        ("unknown platform", "未知的平台"),
        (
            "`platform` is misspelt, or the manifest is not in platforms/",
            "`platform` 拼写有误,或 platforms/ 中没有其清单",
        ),
        ("`heliu platforms` lists the known ones", "`heliu platforms` 会列出已知的平台"),
    ),
    code(
        "HL-1034",
        ("the ledger has no such interface", "本台账没有该接口"),
        ("a connector on this ledger is asked for an unknown interface", "对本台账使用了未知的接口"),
        ("use `写入空操作` as a target", "目标请使用 `写入空操作`"),
    ),
    code(
        "HL-1040",
        ("a platform manifest cannot be used", "平台清单无法使用"),
        (
            "the file is not valid TOML, or has unknown or missing keys",
            "文件不是有效的 TOML,或有未知、缺失的键",
        ),
        (
            "correct it as the message says; the built-in manifests are examples",
            "请按提示修正;可参考内置清单",
        ),
    ),
    code(
        "HL-1041",
        ("a template of the manifest fails", "清单中的模板出错"),
        ("it uses something that this call does not have", "使用了本次调用没有的内容"),
        ("correct the template that the message names", "请修正提示中的模板"),
    ),
    code(
        "HL-1042",
        ("a manifest has an unknown key", "清单中有未知的键"),
        ("the key is misspelt, or stands in the wrong table", "键名拼写有误,或写在了错误的表中"),
        (
            "use the nearest key that the message names; the reference of the manifest language lists all",
            "请使用提示中最接近的键;清单语言参考列出了所有的键",
        ),
    ),
    code(
        "HL-1043",
        ("a manifest names a credential that it does not declare", "清单引用了未声明的凭证"),
        (
            "the name is misspelt, or its [[credentials]] entry is missing",
            "名称拼写有误,或缺少 [[credentials]] 条目",
        ),
        ("declare it, or correct the name", "请声明该凭证,或修正名称"),
    ),
    code(
        "HL-1501",
        ("the file is too large", "文件过大"),
        ("more than 8 MiB are not read as metadata", "元数据文件不读取超过 8 MiB 的内容"),
        ("cut out the part that holds the metadata", "请只保留含元数据的部分"),
    ),
    code(
        "HL-1502",
        ("the text holds no metadata", "文本中没有元数据"),
        (
            "there is no JSON object with `api` in it, or it is damaged beyond repair",
            "没有含 `api` 的 JSON 对象,或损坏严重无法修复",
        ),
        ("paste the object with `api`, `method` and `request`", "请粘贴含 `api`、`method`、`request` 的对象"),
    ),
    code(
        "HL-1503",
        ("the file is no text", "文件不是文本"),
        ("it is neither UTF-8, UTF-16 nor GB18030", "不是 UTF-8、UTF-16 或 GB18030 编码"),
        ("save it as UTF-8, or as .xlsx", "请另存为 UTF-8 文本或 .xlsx"),
    ),
    code(
        "HL-1504",
        ("one side is missing in the text", "原文缺少一侧"),
        (
            "the page prints only the source's or only the target's metadata",
            "网页只给出了源端或目标端的元数据",
        ),
        (
            "a placeholder stands in the plan: put the missing metadata in its place",
            "方案中已填入占位内容,请替换为真实的元数据",
        ),
    ),
    code(
        "HL-1505",
        ("the connector is a guess", "连接器是推测"),
        (
            "the interface is in no catalogue, so nothing says for certain which system it belongs to",
            "接口不在任何目录中,无法确定所属系统",
        ),
        (
            "name it with `--source` or `--target`, or in the plan",
            "请用 `--source`、`--target` 指定,或在方案中修改",
        ),
    ),
    code(
        "HL-1506",
        ("a document is printed twice, and not the same", "同一文档出现两次且不同"),
        ("an article shows the metadata whole and in parts", "文章既给出完整元数据又给出片段"),
        ("compare the plan with the page", "请将方案与原文对照"),
    ),
    code(
        "HL-1507",
        ("a key of another layer has no effect", "其他层的键不起作用"),
        (
            "the document has settings of the generic layer, which heliu keeps and does not follow",
            "文档含通用层的设置,heliu 会保留但不执行",
        ),
        ("say the same in the plan, as the message proposes", "请按提示在方案中设置"),
    ),
    code(
        "HL-1509",
        ("the file is there already", "文件已存在"),
        ("a plan is never replaced unasked", "不会擅自覆盖已有方案"),
        ("use --force, or another name with --output", "请使用 --force,或用 --output 指定其他名称"),
    ),
    code(
        "HL-1510",
        ("the spreadsheet cannot be used", "电子表格无法使用"),
        (
            "it is damaged, protected, too large, or no parameter template",
            "文件损坏、受保护、过大,或不是参数模板",
        ),
        ("save it as .xlsx; a template's first row names the columns", "请另存为 .xlsx;模板首行应为列名"),
    ),
    code(
        "HL-1511",
        ("a row of the template is wrong", "模板的某行有误"),
        (
            "a field is missing, a type or parent is unknown, or a cell holds no JSON",
            "缺少字段名、类型或父字段未知,或单元格不是 JSON",
        ),
        ("look at the cell that the message names", "请查看提示中的单元格"),
    ),
    code(
        "HL-1512",
        ("the value map cannot be read", "映射表无法读取"),
        (
            "it is neither CSV, JSON nor a spreadsheet, or a row lacks one of its two values",
            "不是 CSV、JSON 或电子表格,或某行缺少两个值之一",
        ),
        ("write two columns: the source's value, the target's value", "请写成两列:源值、目标值"),
    ),
    code(
        "HL-1513",
        ("the text is too tangled", "文本过于混乱"),
        (
            "brackets and quotes are so far from any order that following them would take too long",
            "括号与引号过于混乱,识别耗时过长",
        ),
        ("cut out the part that holds the metadata", "请只保留含元数据的部分"),
    ),
    code(
        "HL-1514",
        ("only a part of a document was found", "只找到文档的一部分"),
        (
            "the text holds items (`\"request\": [...]`, a bare list, a document without its beginning), and not the name of the interface",
            "文本中有字段项(`\"request\": [...]`、单独的列表、缺少开头的文档),但没有接口名称",
        ),
        (
            "add `api` and `method` to the plan, and for a source `id` and `number`",
            "请在方案中补上 `api` 与 `method`,来源端还需 `id` 与 `number`",
        ),
    ),
    code(
        "HL-1093",
        ("a query of this ledger cannot be read", "对本台账的查询无法解析"),
        (
            "`scheme_id` is missing or a reference, a time or condition is not valid, or the state cannot be asked for by time",
            "缺少 `scheme_id` 或其为引用,时间或条件无效,或该状态不能按时间查询",
        ),
        (
            "correct what the message names; docs/guides/between-plans.md shows a whole plan",
            "请修正提示的内容;docs/guides/between-plans.md 有完整的方案",
        ),
    ),
    code(
        "HL-1094",
        ("`ssl_ca` cannot be used", "`ssl_ca` 无法使用"),
        (
            "the file that `ssl_ca` names is missing, cannot be read, or holds no certificate in PEM form",
            "`ssl_ca` 指定的文件不存在、无法读取,或其中没有 PEM 证书",
        ),
        (
            "name a file with the authority's certificate; its path begins in the project's directory",
            "请指定包含颁发机构证书的文件,路径相对于项目目录",
        ),
    ),
    code(
        "HL-1095",
        ("alerts cannot be sent as configured", "告警配置无法使用"),
        (
            "an address of `[alerts]` is none, the server's name holds more than a name, or a secret, password or certificate file cannot be read: nothing would arrive. Runs are not affected",
            "`[alerts]` 中的地址无效、服务器名称含多余内容,或机密、密码、证书文件无法读取:告警不会送达。不影响运行",
        ),
        (
            "correct what the message names in heliu.toml; `heliu alerts --test` then sends a message to every address",
            "请按提示修正 heliu.toml;之后可用 `heliu alerts --test` 向每个地址发送测试消息",
        ),
    ),
];
