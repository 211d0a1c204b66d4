//! Codes of the area `cli`.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    Code {
        id: "HL-8001",
        title: ("there is no sandbox of that platform", "没有该平台的沙箱"),
        cause: (
            "the name is misspelt, or nobody has built a stand-in of the platform yet",
            "名称拼写有误，或该平台尚无沙箱",
        ),
        todo: ("take one of the names that the message lists", "请使用提示中列出的名称"),
    },
    Code {
        id: "HL-8002",
        title: ("the fault list cannot be read", "无法识别故障列表"),
        cause: (
            "a fault has an unknown name, a probability outside 0 to 1, or a call number below 1",
            "故障名称未知，概率不在 0 到 1 之间，或调用序号小于 1",
        ),
        todo: (
            "separate faults with commas and write each as `name`, `name:0.05`, `name@3`, `name@3-5` or `name@3-`; `=PATH` at the end restricts it to one path",
            "各故障以逗号分隔，写作 `name`、`name:0.05`、`name@3`、`name@3-5` 或 `name@3-`；末尾加 `=路径` 可限定到一个接口",
        ),
    },
    Code {
        id: "HL-8003",
        title: ("the address cannot be listened on", "无法监听该地址"),
        cause: (
            "another program uses the port, the address does not belong to this machine, or the port needs more rights",
            "端口已被其他程序占用，地址不属于本机，或端口需要更高权限",
        ),
        todo: (
            "end the other program or choose another address with `--listen`; port 0 takes any free one",
            "结束占用端口的程序，或用 `--listen` 指定其他地址；端口 0 表示任意空闲端口",
        ),
    },
    Code {
        id: "HL-8004",
        title: ("the sandbox cannot make that change", "沙箱无法执行该修改"),
        cause: (
            "the row does not exist, a stamp is no time, the change is misspelt, or this sandbox has nothing to change",
            "数据不存在，时间格式不正确，修改指令有误，或该沙箱没有可修改的内容",
        ),
        todo: (
            "look the ids up under `/_sandbox/truth` and write times as `2026-01-31 08:00:00` (Beijing time)",
            "在 `/_sandbox/truth` 查看编号；时间写作 `2026-01-31 08:00:00`（北京时间）",
        ),
    },
    Code {
        id: "HL-8005",
        title: ("calls that were expected did not come", "预期的调用没有发生"),
        cause: (
            "what was tested took another way than the test says: a call is missing, or came too often",
            "被测程序的行为与测试预期不同：缺少某个调用，或调用次数过多",
        ),
        todo: ("compare with `/_sandbox/log`", "请对照 `/_sandbox/log`"),
    },
    Code {
        id: "HL-8006",
        title: ("the sandbox has no such control call", "沙箱没有该控制调用"),
        cause: (
            "the path after `/_sandbox/` or the method is wrong",
            "`/_sandbox/` 之后的路径或请求方法有误",
        ),
        todo: ("take one of the calls that the message lists", "请使用提示中列出的调用"),
    },
    Code {
        id: "HL-8010",
        title: ("an argument cannot be read", "参数无法识别"),
        cause: (
            "a time, number or JSON of the command line has the wrong form",
            "命令行中的时间、数字或 JSON 形式有误",
        ),
        todo: (
            "write times as `2024-03-14 16:00:00`, RFC 3339, or unix seconds",
            "时间请写成 `2024-03-14 16:00:00`、RFC 3339 或 unix 秒",
        ),
    },
    Code {
        id: "HL-8011",
        title: ("the plan has not run yet", "方案尚未运行过"),
        cause: ("there is nothing in the ledger about it", "台账中没有该方案的内容"),
        todo: ("start it with `heliu run PLAN`", "请用 `heliu run 方案` 运行"),
    },
    Code {
        id: "HL-8012",
        title: ("there is no such run", "没有该运行"),
        cause: ("the id is misspelt, or belongs to another plan", "编号有误,或属于其他方案"),
        todo: (
            "`heliu certificate PLAN` without --run shows the last one",
            "不带 --run 的 `heliu certificate 方案` 显示最近一次",
        ),
    },
    Code {
        id: "HL-8013",
        title: ("a line of the batch cannot be answered", "批量输入的某行无法处理"),
        cause: (
            "it is no JSON object, lacks a member, or has an unknown one",
            "该行不是 JSON 对象,或缺少成员、含未知成员",
        ),
        todo: ("correct the line; the others are answered", "请修正该行;其余行不受影响"),
    },
    Code {
        id: "HL-8014",
        title: ("unknown state", "未知的状态"),
        cause: ("`--state` is none of the states of a record", "`--state` 不是数据的状态"),
        todo: (
            "use waiting, queued, written, filtered, rejected, failed or in_doubt",
            "可用 waiting、queued、written、filtered、rejected、failed、in_doubt",
        ),
    },
    Code {
        id: "HL-8015",
        title: ("there is no such call", "没有该调用"),
        cause: (
            "the number is wrong, belongs to another plan's call, or its body was let go by retention",
            "编号有误、属于其他方案的调用,或已按保留策略清除",
        ),
        todo: ("`heliu calls PLAN` lists them", "`heliu calls 方案` 可列出"),
    },
    Code {
        id: "HL-8016",
        title: ("there is no such record", "没有该数据"),
        cause: ("the id is wrong, or the source never returned it", "id 有误,或来源从未返回该数据"),
        todo: ("`heliu records PLAN` lists them", "`heliu records 方案` 可列出"),
    },
    Code {
        id: "HL-8017",
        title: ("the secret is empty", "机密为空"),
        cause: ("nothing came on standard input", "标准输入没有内容"),
        todo: ("type it, or pipe it in", "请输入,或通过管道传入"),
    },
    Code {
        id: "HL-8018",
        title: ("there is no such code", "没有该代码"),
        cause: ("the code is misspelt", "代码拼写有误"),
        todo: ("codes are written `HL-` and four digits", "代码由 `HL-` 和四位数字组成"),
    },
    Code {
        id: "HL-8019",
        title: ("something else is in the way", "位置已被占用"),
        cause: ("the directory or port is used by something else", "目录或端口已被占用"),
        todo: ("choose another", "请换一个"),
    },
    Code {
        id: "HL-9001",
        title: ("the program could not start", "程序无法启动"),
        cause: ("the machine refuses threads or memory", "系统无法提供线程或内存"),
        todo: ("end other programs, then try again", "请结束其他程序后重试"),
    },
    Code {
        id: "HL-8020",
        title: ("the command line is wrong", "命令行有误"),
        cause: ("a command, an option or a value is misspelt or missing", "命令、选项或取值拼写有误或缺失"),
        todo: (
            "`heliu --help` lists the commands, `heliu COMMAND --help` their options",
            "`heliu --help` 列出命令,`heliu 命令 --help` 列出其选项",
        ),
    },
    code(
        "HL-8023",
        ("a whole plan is no metadata", "整个方案不是元数据"),
        (
            "`render` evaluates one document; a plan holds two, that of its source and that of its target",
            "`render` 计算一份元数据;而方案包含来源与目标两份",
        ),
        (
            "give the part under `source.metadata` or `target.metadata`; `heliu preview PLAN` shows both as they would be sent",
            "请给出 `source.metadata` 或 `target.metadata` 部分;`heliu preview 方案` 可显示两者将发送的内容",
        ),
    ),
    code(
        "HL-8029",
        ("the new key is not given", "未给出新密钥"),
        (
            "the present sealing key comes from HELIU_KEY, and HELIU_NEW_KEY is missing or no key",
            "当前封存密钥来自 HELIU_KEY,而 HELIU_NEW_KEY 缺失或不是密钥",
        ),
        (
            "set HELIU_NEW_KEY to 32 random bytes in hex, e.g. of `openssl rand -hex 32`, and rotate again",
            "请将 HELIU_NEW_KEY 设为 32 个随机字节的十六进制(例如 `openssl rand -hex 32`),再次执行",
        ),
    ),
];
