//! Codes of the area `ledger`.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-6001",
        ("the ledger refused an operation", "台账拒绝了操作"),
        (
            "the data directory is in a state that this version does not expect",
            "数据目录的状态与当前版本不符",
        ),
        ("run again; if it comes back, report it with the log", "请重新运行;若再次出现,请附日志反馈"),
    ),
    code(
        "HL-6002",
        ("the ledger is locked", "台账被锁定"),
        ("another process has held a lock for more than 10 seconds", "另一个进程持有锁超过 10 秒"),
        ("end the process that the message names, or wait for it", "请结束提示中的进程,或等待其完成"),
    ),
    code(
        "HL-6003",
        ("the disk is full", "磁盘已满"),
        ("the ledger cannot be written", "台账无法写入"),
        ("make room, then run again: nothing is lost", "请清理空间后重新运行,数据不会丢失"),
    ),
    code(
        "HL-6004",
        ("the data directory cannot be written", "数据目录无法写入"),
        ("missing rights, or a read-only file system", "没有权限,或文件系统只读"),
        ("mend the rights, or name another with --data-dir", "请修正权限,或用 --data-dir 指定其他目录"),
    ),
    code(
        "HL-6005",
        ("another process has taken over the run", "另一个进程已接管该运行"),
        ("this process was silent for longer than its lease", "本进程超过租约时间没有响应"),
        ("nothing: the other one goes on", "无需处理:另一个进程会继续"),
    ),
    code(
        "HL-6006",
        ("the ledger file is damaged", "台账文件已损坏"),
        ("the disk, or a copy made while it was written", "磁盘故障,或在写入时复制"),
        ("restore the data directory from a backup", "请从备份恢复数据目录"),
    ),
    code(
        "HL-6007",
        ("the ledger cannot be read or written", "台账读写失败"),
        ("an error of the disk or the file system", "磁盘或文件系统错误"),
        ("check the disk, then run again", "请检查磁盘后重新运行"),
    ),
    code(
        "HL-6008",
        ("the ledger is of a newer version", "台账由更新的版本写入"),
        ("a newer heliu has written the data directory", "更新版本的 heliu 写入过该数据目录"),
        ("use that version", "请使用该版本"),
    ),
    code(
        "HL-6009",
        ("a ledger task ended abnormally", "台账任务异常结束"),
        ("a defect, or the program was stopped", "程序缺陷,或程序被停止"),
        ("run again; if it comes back, report it with the log", "请重新运行;若再次出现,请附日志反馈"),
    ),
    code(
        "HL-6010",
        ("the key file cannot be used", "密钥文件无法使用"),
        ("it is missing, has another length, or may not be read", "文件缺失、长度不符或无法读取"),
        (
            "restore it from the backup of the data directory; without it sealed secrets must be set anew",
            "请从数据目录的备份恢复;否则需重新设置机密",
        ),
    ),
    code(
        "HL-6011",
        ("a sealed secret cannot be opened", "无法解开封存的机密"),
        ("it was sealed with another key file", "该机密由另一个密钥文件封存"),
        ("set it again with `heliu secret set NAME`", "请用 `heliu secret set 名称` 重新设置"),
    ),
    code(
        "HL-6012",
        ("a record's content is missing", "数据内容缺失"),
        ("the ledger names a content that it does not hold", "台账引用的内容不存在"),
        (
            "read the window again with `heliu run --from … --to …`",
            "请用 `heliu run --from … --to …` 重新读取该窗口",
        ),
    ),
    code(
        "HL-6013",
        ("no token is stored", "没有保存令牌"),
        ("a refresh was ended for a connector that has no token in the ledger", "台账中没有该连接器的令牌"),
        ("run `heliu token CONNECTOR --refresh`", "请执行 `heliu token 连接器 --refresh`"),
    ),
    code(
        "HL-6014",
        ("the ledger's file was replaced", "台账文件被替换"),
        (
            "somebody removed, moved or replaced `ledger.db` while this process had it open",
            "本进程打开 `ledger.db` 期间,该文件被删除、移动或替换",
        ),
        (
            "put the file back, or restore a backup without `ledger.db-wal` and `ledger.db-shm`; then start again",
            "请将文件放回原处,或恢复备份(不要保留 `ledger.db-wal` 与 `ledger.db-shm`),然后重新启动",
        ),
    ),
];
