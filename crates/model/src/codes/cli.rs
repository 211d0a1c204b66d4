//! Codes of the area `cli`.

use super::Code;

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
];
