//! Codes of runs: windows, walks, completeness, writing.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[
    Code {
        id: "HL-1050",
        title: ("the window begins after its end", "时间窗口的开始晚于结束"),
        cause: (
            "`--from` and `--to` are swapped, or only one of them was given and the missing end (the watermark, or now minus `settle`) lies on the wrong side",
            "`--from` 与 `--to` 写反了;或者只给了一端,而缺省的另一端(水位线,或当前时间减去 `settle`)落在了错误的一侧",
        ),
        todo: ("give both ends, the earlier one as `--from`", "同时给出两端,较早的时间作为 `--from`"),
    },
    Code {
        id: "HL-7001",
        title: ("the plan is already being run", "该方案正在运行"),
        cause: (
            "another process works on this plan; a plan has at most one open run, so that nothing is read or written twice",
            "另一个进程正在处理该方案;为避免重复读写,同一方案最多只有一个未结束的运行",
        ),
        todo: (
            "wait for it; a process that was killed is displaced at once, one that hangs when its lease has ended (2 minutes)",
            "请等待其结束;被杀死的进程会立即被接管,挂起的进程在租约到期(2 分钟)后被接管",
        ),
    },
    Code {
        id: "HL-7003",
        title: ("the run was interrupted", "运行被中断"),
        cause: ("Ctrl-C, a stop signal, or the end of the service", "按下了 Ctrl-C、收到停止信号,或服务结束"),
        todo: (
            "run the same command again: the run resumes with the page and the records it had not finished",
            "再次执行同一命令:从未完成的页和数据继续",
        ),
    },
    Code {
        id: "HL-7004",
        title: ("the source did not answer in time", "来源未在规定时间内响应"),
        cause: (
            "the source is down, the address is wrong, or a firewall drops the packets; all attempts together are given 45 seconds",
            "来源不可用、地址错误,或防火墙丢弃了数据包;所有尝试合计最多 45 秒",
        ),
        todo: (
            "`heliu test-connector NAME`, then run again",
            "先执行 `heliu test-connector 连接器名`,再重新运行",
        ),
    },
    Code {
        id: "HL-7020",
        title: ("different elements share an id", "内容不同的元素使用了相同的 id"),
        cause: (
            "the metadata's `id` names a field that is not unique, such as `o_id` for outbound orders where `io_id` is the key of a row",
            "元数据的 `id` 指向了不唯一的字段,例如出库单使用 `o_id`,而行的主键是 `io_id`",
        ),
        todo: (
            "choose the unique field as `id`; until then one of the elements stands for all that share the id",
            "请改用唯一的字段作为 `id`;在此之前,相同 id 的元素只会保留其中一个",
        ),
    },
    Code {
        id: "HL-7021",
        title: ("the source's total and what it returned differ", "来源声明的总数与实际返回不一致"),
        cause: (
            "rows are hidden from paging, the total counts something else, or rows changed faster than they could be read",
            "有的数据在翻页中不可见、总数统计口径不同,或数据变化快于读取速度",
        ),
        todo: (
            "run again; if it stays, compare `heliu certificate` with the platform's own screen and narrow the window",
            "请重新运行;若仍如此,请将 `heliu certificate` 与平台界面核对,并缩小时间窗口",
        ),
    },
    Code {
        id: "HL-7022",
        title: ("passes over the window never agreed", "多次读取同一窗口结果不一致"),
        cause: ("the source declares no total and its rows keep changing", "来源没有声明总数,且数据不断变化"),
        todo: (
            "raise `settle` so that the window ends further in the past, or shorten `window`",
            "增大 `settle` 使窗口结束得更早,或减小 `window`",
        ),
    },
    Code {
        id: "HL-7023",
        title: ("the anchored cursor stands still", "锚定游标不再前进"),
        cause: ("more rows share one cursor value than fit a page", "同一游标值的数据超过了一页"),
        todo: ("nothing: the window was read by page number instead", "无需处理:已改为按页码读取该窗口"),
    },
    Code {
        id: "HL-7028",
        title: ("the source promises more and brings nothing", "来源声明还有数据,但没有返回"),
        cause: (
            "the platform's `has_next` stays true on its last page",
            "平台在最后一页仍返回 `has_next` 为真",
        ),
        todo: (
            "nothing: an inclusive cursor proved that the window is complete; tell the platform's support",
            "无需处理:包含端点的游标已证明窗口完整;可告知平台支持",
        ),
    },
    Code {
        id: "HL-7024",
        title: ("the cursor stands still", "游标不再前进"),
        cause: (
            "the source promises more but returns the same or no cursor",
            "来源声明还有数据,但返回了相同的游标或没有返回游标",
        ),
        todo: (
            "name the cursor's or page's field in the metadata (`pagination.cursorField`, {PAGINATION_START_PAGE}); else tell the platform's support. The window counts as incomplete",
            "请在元数据中指明游标或页码字段(`pagination.cursorField`、{PAGINATION_START_PAGE});否则请联系平台支持。该窗口视为不完整",
        ),
    },
    Code {
        id: "HL-7025",
        title: ("pages keep coming that bring nothing new", "连续多页没有新数据"),
        cause: (
            "the source ignores the page number, or says for ever that more follows",
            "来源忽略了页码,或一直声明还有更多数据",
        ),
        todo: (
            "check the names of the page fields in the metadata with `heliu preview`; the window counts as incomplete",
            "用 `heliu preview` 检查元数据中页码字段的名称;该窗口视为不完整",
        ),
    },
    Code {
        id: "HL-7026",
        title: ("too many pages", "页数过多"),
        cause: ("a pass over one window exceeded the limit of pages", "单个窗口一次读取超过了页数上限"),
        todo: ("shorten `window`", "请减小 `window`"),
    },
    Code {
        id: "HL-7027",
        title: ("the source's total cannot be trusted", "来源声明的总数不可信"),
        cause: (
            "it declares fewer elements than it says there are pages for",
            "来源声明的总数少于它表示还有的页",
        ),
        todo: ("nothing: the window was read until two passes agreed", "无需处理:已读取到两遍一致为止"),
    },
    Code {
        id: "HL-7029",
        title: ("the source has more than the metadata asks for", "来源还有元数据没有请求的数据"),
        cause: (
            "the reply declares a total or says that more follows, but the request has no page, offset or cursor field",
            "响应给出了更大的总数或表示还有后续,但请求中没有页码、偏移或游标字段",
        ),
        todo: (
            "add `pagination` and a field with {PAGINATION_START_PAGE} or {{PAGINATION_START_ROW}}, or `pagination.cursorField`",
            "请添加 `pagination` 以及使用 {PAGINATION_START_PAGE} 或 {{PAGINATION_START_ROW}} 的字段,或 `pagination.cursorField`",
        ),
    },
    Code {
        id: "HL-7030",
        title: ("the target's reply does not mention the record", "目标的响应没有提到该数据"),
        cause: ("a batch reply had fewer results than records", "批量响应的结果少于发送的数据"),
        todo: (
            "look the record up in the target; `heliu retry --state in_doubt` sends it again",
            "请在目标系统中查找该数据;`heliu retry --state in_doubt` 会再次发送",
        ),
    },
    Code {
        id: "HL-7031",
        title: ("the process ended while a write was on its way", "写入途中进程结束"),
        cause: ("a crash or kill between sending and the answer", "在发送之后、得到响应之前进程崩溃或被杀死"),
        todo: (
            "look the record up in the target; `heliu retry --state in_doubt` sends it again",
            "请在目标系统中查找该数据;`heliu retry --state in_doubt` 会再次发送",
        ),
    },
    Code {
        id: "HL-7090",
        title: ("the stored state of the walk cannot be read", "无法读取已保存的翻页状态"),
        cause: ("the ledger was written by another version, or is damaged", "台账由其他版本写入,或已损坏"),
        todo: ("report it with the output of `heliu --version`", "请附上 `heliu --version` 的输出并报告"),
    },
    Code {
        id: "HL-7091",
        title: ("a fetching task ended abnormally", "读取任务异常结束"),
        cause: ("a defect of heliu", "heliu 的缺陷"),
        todo: ("run again: it resumes; report the message", "重新运行即可继续;请报告该信息"),
    },
    Code {
        id: "HL-7092",
        title: ("a writing task ended abnormally", "写入任务异常结束"),
        cause: ("a defect of heliu", "heliu 的缺陷"),
        todo: ("run again: it resumes; report the message", "重新运行即可继续;请报告该信息"),
    },
    Code {
        id: "HL-7093",
        title: ("the plan's run could not be opened", "无法打开该方案的运行"),
        cause: ("an interrupted run could not be put aside", "无法搁置之前被中断的运行"),
        todo: ("run again; report it if it stays", "请重新运行;若仍如此请报告"),
    },
    Code {
        id: "HL-7010",
        title: ("an element has no id", "元素没有 id"),
        cause: (
            "the field that `id` names is missing, null or empty in it",
            "`id` 所指的字段缺失、为 null 或为空",
        ),
        todo: (
            "choose a field that every element has, or ask the source's owner why it is empty",
            "请改用每个元素都有的字段,或向来源方确认为何为空",
        ),
    },
    Code {
        id: "HL-7011",
        title: ("an element is no JSON value", "元素不是 JSON 值"),
        cause: ("the source's list holds something that cannot be read", "来源列表中有无法识别的内容"),
        todo: ("look at the call with `heliu calls`", "请用 `heliu calls` 查看该调用"),
    },
    Code {
        id: "HL-7012",
        title: ("a condition leaves the record out", "条件排除了该数据"),
        cause: (
            "`condition` of the source's metadata does not hold for it",
            "该数据不满足源端元数据的 `condition`",
        ),
        todo: ("nothing, if that is what the condition is for", "如符合条件的本意,则无需处理"),
    },
];
