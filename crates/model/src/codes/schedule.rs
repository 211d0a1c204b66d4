//! Codes of schedules, gap scans and the service.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[
    Code {
        id: "HL-1016",
        title: ("the file cannot be read", "文件无法读取"),
        cause: ("the service may not read it, or it is not UTF-8", "服务没有读取权限,或文件不是 UTF-8 编码"),
        todo: (
            "mend the file's rights or its encoding; the service looks again by itself",
            "请修正文件权限或编码;服务会自动重新读取",
        ),
    },
    Code {
        id: "HL-1066",
        title: ("the plan declares no omission remedy", "该方案没有声明漏单补偿"),
        cause: (
            "`--remedy` was asked for, and the source's metadata has no `omissionRemedy`",
            "使用了 `--remedy`,而来源元数据中没有 `omissionRemedy`",
        ),
        todo: (
            "add `omissionRemedy` with `crontab` and `takeOverRequest`, or read the range with `--from` and `--to`",
            "请添加含 `crontab` 与 `takeOverRequest` 的 `omissionRemedy`,或用 `--from` 与 `--to` 读取该范围",
        ),
    },
    Code {
        id: "HL-7005",
        title: ("the tick has been answered already", "该次触发已被处理"),
        cause: (
            "two services run the same project, and the other one was first",
            "两个服务同时运行同一个项目,另一个先行处理",
        ),
        todo: ("nothing: each tick is answered once", "无需处理:每次触发只处理一次"),
    },
    Code {
        id: "HL-7046",
        title: ("a back-fill gave way before it had read everything", "回补未读完就被其他运行取代"),
        cause: (
            "a run with `--from` and `--to` was interrupted, and the plan was run otherwise before it was resumed, by hand or by its schedule",
            "带 `--from` 与 `--to` 的运行中断后,在继续之前该方案又以其他方式运行(手工或按计划)",
        ),
        todo: (
            "run it again with the range that the message names; what it had stored is there, and the alert ends with a back-fill that goes through",
            "请按消息中的范围重新执行;已入库的数据仍然有效,回补完成后告警自动结束",
        ),
    },
    Code {
        id: "HL-7094",
        title: ("a run ended abnormally", "一次运行异常结束"),
        cause: ("a defect of heliu", "heliu 的缺陷"),
        todo: (
            "nothing is lost: the run is owed and comes back after a minute; report the message",
            "不会丢失数据:该运行会在一分钟后重试;请报告该信息",
        ),
    },
    Code {
        id: "HL-7041",
        title: ("records were missing: the source showed them too late", "漏单:来源显示得太晚"),
        cause: (
            "a gap scan brought records whose modification time lies in a window that had been read completely: they became visible only afterwards (late commits, slow replicas, imports with old times)",
            "补漏扫描读到了一些数据,其修改时间位于已完整读取的窗口内:它们在读取之后才可见(延迟提交、从库延迟、按旧时间导入)",
        ),
        todo: (
            "they are stored and written now; raise `lookback` (read again) or `settle` (read later) so that the next ones are not missed",
            "这些数据已入库并会写入;请增大 `lookback`(重读)或 `settle`(延后读取),避免再次遗漏",
        ),
    },
    Code {
        id: "HL-7042",
        title: ("records were missing from an unproved window", "漏单:窗口未被证明完整"),
        cause: (
            "their time lies in a window whose walk ended with a finding (a total that lied, a cursor that stood still …)",
            "其时间所在窗口的翻页以异常结束(总数不可信、游标停滞等)",
        ),
        todo: (
            "they are stored and written now; look at that window's problems with `heliu certificate PLAN --run ID`",
            "这些数据已入库并会写入;可用 `heliu certificate 方案 --run ID` 查看该窗口的问题",
        ),
    },
    Code {
        id: "HL-7043",
        title: ("records were missing: their time was never read", "漏单:其时间从未被读取"),
        cause: (
            "the watermark was moved forward by hand, or the plan's `start` lies behind the records",
            "水位线被手动前移,或方案的 `start` 晚于这些数据",
        ),
        todo: (
            "they are stored and written now; `heliu run PLAN --from T --to T` reads a whole range",
            "这些数据已入库并会写入;`heliu run 方案 --from T --to T` 可读取整个范围",
        ),
    },
    Code {
        id: "HL-7044",
        title: ("records were missing, cause unknown", "漏单:原因未知"),
        cause: (
            "a gap scan found them, and the platform declares no modification time from which the cause could be told",
            "补漏扫描发现了它们,但平台没有声明修改时间,无法判断原因",
        ),
        todo: (
            "they are stored and written now; declare `stamp` for the interface in a platform manifest to learn more",
            "这些数据已入库并会写入;可在平台清单中为接口声明 `stamp` 以便分析",
        ),
    },
];
