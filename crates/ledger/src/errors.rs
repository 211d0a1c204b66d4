//! What SQLite's errors mean to a person.

use std::path::Path;

use heliu_model::{Class, Failure, text};
use rusqlite::ErrorCode;

use crate::holder;

/// What to do about a data directory that cannot be written to.
pub(crate) fn writable() -> heliu_model::Text {
    text!(
        "make the directory writable for this user, or choose another one with --data-dir",
        "请使该目录对当前用户可写,或用 --data-dir 指定其他目录"
    )
}

/// Translates an error; `dir` is the data directory.
pub(crate) fn failure(e: &rusqlite::Error, dir: &Path) -> Failure {
    let place = dir.display().to_string();
    let code = match e {
        rusqlite::Error::SqliteFailure(f, _) => Some(f.code),
        _ => None,
    };
    let words = e.to_string();
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let words = match holder::of(dir) {
                Some(holder) => text!(
                    "the ledger has been locked for more than 10 seconds by {holder}",
                    "台账已被 {holder} 锁定超过 10 秒"
                ),
                None => text!(
                    "the ledger has been locked for more than 10 seconds by another process",
                    "台账已被另一个进程锁定超过 10 秒"
                ),
            };
            Failure::transient("HL-6002", words).hint(text!(
                "end that process, or wait for it, then run again",
                "请结束或等待该进程,然后重新运行"
            ))
        }
        Some(ErrorCode::DiskFull) => Failure::internal(
            "HL-6003",
            text!("the disk is full: the ledger cannot be written", "磁盘已满,无法写入台账"),
        )
        .hint(text!(
            "make room and run again; everything committed before is kept, and the run resumes",
            "请清理空间后重新运行;已提交的内容都保留,运行会继续"
        )),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Failure::config(
            "HL-6004",
            text!("the data directory cannot be written: {words}", "数据目录无法写入:{words}"),
        )
        .hint(writable()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Failure::internal(
            "HL-6006",
            text!("the ledger file is damaged: {words}", "台账文件已损坏:{words}"),
        )
        .hint(text!(
            "restore `ledger.db` from a backup, or move it away to begin anew (the target is not touched)",
            "请从备份恢复 `ledger.db`,或将其移走后重新开始(目标系统不受影响)"
        )),
        Some(ErrorCode::SystemIoFailure) => Failure::internal(
            "HL-6007",
            text!("the ledger cannot be read or written: {words}", "台账读写失败:{words}"),
        )
        .hint(text!(
            "check the disk and the limit of file sizes (`ulimit -f`), then run again: nothing is lost",
            "请检查磁盘与文件大小限制(`ulimit -f`),然后重新运行:数据不会丢失"
        )),
        _ => Failure::new(
            Class::Internal,
            "HL-6001",
            text!("the ledger refused an operation: {words}", "台账拒绝了操作:{words}"),
        ),
    }
    .at(place)
}

/// The file that was opened is no longer the one in the data directory.
pub(crate) fn moved(dir: &Path) -> Failure {
    Failure::internal(
        "HL-6014",
        text!(
            "the ledger's file was removed or replaced while it was in use; this process writes nothing more",
            "台账文件在使用中被删除或替换;本进程不再写入任何内容"
        ),
    )
    .at(dir.join("ledger.db").display().to_string())
    .hint(text!(
        "put the file back, or restore a backup without `ledger.db-wal` and `ledger.db-shm`, then run again; a running service must be started again",
        "请将文件放回原处,或恢复备份(不要保留 `ledger.db-wal` 与 `ledger.db-shm`),然后重新运行;正在运行的服务需要重新启动"
    ))
}

/// The run was taken over.
pub(crate) fn fenced() -> Failure {
    Failure::internal(
        "HL-6005",
        text!(
            "another process has taken over this run; nothing more is written by this one",
            "另一个进程已接管该运行;本进程不再写入任何内容"
        ),
    )
}
