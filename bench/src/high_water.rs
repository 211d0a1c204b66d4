//! The kernel's high-water mark of a process's memory.

/// In KiB; it only grows, so that the last look before the end is the peak.
pub fn of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}
