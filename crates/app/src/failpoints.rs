//! Where tests let the process die. Without the fail points compiled in, as in everything that is shipped, this does
//! nothing (docs/decisions/0010).

use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that names a fail point, and at which passage of it (from 1) the process dies: `NAME@N`.
const VARIABLE: &str = "HELIU_DIE_AT";

/// Arms the fail point that the environment names.
pub fn arm() {
    if !fail::has_failpoints() {
        return;
    }
    let Ok(words) = std::env::var(VARIABLE) else { return };
    let (name, nth) = words.rsplit_once('@').unwrap_or((&words, "1"));
    let nth: u64 = nth.parse().unwrap_or(1);
    let passed = AtomicU64::new(0);
    let die = move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            // No destructor, no flush: what a `kill -9` leaves behind.
            std::process::abort();
        }
    };
    if let Err(why) = fail::cfg_callback(name, die) {
        tracing::warn!(target: "heliu", "{VARIABLE}: {why}");
    }
}
