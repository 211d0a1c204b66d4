//! Who holds the ledger's lock: the operating system knows.

use std::path::Path;

/// Byte of the shared-memory file that SQLite's writers lock in WAL mode (sqlite.org/walformat.html §2.3.1).
const WRITE_LOCK: u64 = 120;

/// The process that holds the write lock of the ledger in `dir`, in words: number and command.
pub(crate) fn of(dir: &Path) -> Option<String> {
    let pid = pid(dir)?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let command: String = command.trim().chars().take(80).collect();
    Some(if command.is_empty() { format!("pid {pid}") } else { format!("pid {pid} ({command})") })
}

#[cfg(target_os = "linux")]
fn pid(dir: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(dir.join("ledger.db-shm")).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let me = std::process::id();
    locks.lines().filter_map(|l| holder(l, file.ino())).find(|pid| *pid != me)
}

#[cfg(not(target_os = "linux"))]
fn pid(_dir: &Path) -> Option<u32> {
    None
}

/// `1: POSIX  ADVISORY  WRITE 4242 08:01:131 120 120`: the process, if the line is about this file's write lock.
#[cfg(target_os = "linux")]
fn holder(line: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, _, mode) = (words.next()?, words.next()?, words.next()?);
    let (pid, file) = (words.next()?.parse().ok()?, words.next()?);
    let (from, to) = (words.next()?.parse::<u64>().ok()?, words.next()?);
    let to = if to == "EOF" { u64::MAX } else { to.parse().ok()? };
    let ours = file.rsplit(':').next()?.parse::<u64>().ok()? == inode;
    (ours && kind == "POSIX" && mode == "WRITE" && (from..=to).contains(&WRITE_LOCK)).then_some(pid)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::holder;

    #[test]
    fn lines_of_the_kernel() {
        let line = "5: POSIX  ADVISORY  WRITE 4242 00:3b:131 120 120";
        assert_eq!(holder(line, 131), Some(4242));
        assert_eq!(holder(line, 132), None);
        assert_eq!(holder("5: POSIX  ADVISORY  READ 4242 00:3b:131 123 123", 131), None);
        assert_eq!(holder("6: -> POSIX  ADVISORY  WRITE 7 00:3b:131 120 120", 131), None);
        assert_eq!(holder("1: FLOCK  ADVISORY  WRITE 9 00:3b:131 0 EOF", 131), None);
        assert_eq!(holder("", 131), None);
    }
}
