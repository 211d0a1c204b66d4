//! Where tests let the process die, or stand still. Without the fail points compiled in, as in everything that is shipped, this does
//! nothing (docs/decisions/0010).

use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that names a fail point, and at which passage of it (from 1) the process dies: `NAME@N`.
const VARIABLE: &str = "HELIU_DIE_AT";
/// Likewise where the process stops until somebody sends it SIGCONT.
const STOP: &str = "HELIU_STOP_AT";

/// Arms the fail points that the environment names.
pub fn arm() {
    if !fail::has_failpoints() {
        return;
    }
    // No destructor, no flush: what a `kill -9` leaves behind.
    arm_with(VARIABLE, || std::process::abort());
    arm_with(STOP, || {
        // Sent to this very thread: any other one may take a while to hear of it, and this one would go on meanwhile.
        let me = std::fs::read_link("/proc/thread-self").ok();
        let me = me.as_deref().and_then(|p| p.file_name()?.to_str()).map(str::to_owned);
        let me = me.unwrap_or_else(|| std::process::id().to_string());
        if let Err(why) = std::process::Command::new("kill").args(["-STOP", &me]).status() {
            tracing::warn!(target: "heliu", "{STOP}: {why}");
        }
    });
}

fn arm_with(variable: &'static str, act: impl Fn() + Send + Sync + 'static) {
    let Ok(words) = std::env::var(variable) else { return };
    let (name, nth) = words.rsplit_once('@').unwrap_or((&words, "1"));
    let nth: u64 = nth.parse().unwrap_or(1);
    let passed = AtomicU64::new(0);
    let at = move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            act();
        }
    };
    if let Err(why) = fail::cfg_callback(name, at) {
        tracing::warn!(target: "heliu", "{variable}: {why}");
    }
}
