//! The engine's door: one process drives the target that the environment variable `HELIU_FUZZ` names.
#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use heliu_fuzz::{Target, run, target};
use libfuzzer_sys::fuzz_target;
use nix::sys::resource::{Resource, setrlimit};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

/// Holds the input under way: what is left when a stack overflows, which no handler survives.
static LAST: OnceLock<File> = OnceLock::new();

fn prepare() {
    let name = std::env::var("HELIU_FUZZ").unwrap_or_default();
    let Some(found) = target(&name) else {
        eprintln!("HELIU_FUZZ=`{name}` names no target");
        std::process::exit(2);
    };
    let _ = TARGET.set(found);
    if let Some(file) = std::env::var_os("HELIU_FUZZ_LAST").and_then(|p| File::create(p).ok()) {
        let _ = LAST.set(file);
    }
    // The stack of the threads that do this work in production.
    if let Err(e) = setrlimit(Resource::RLIMIT_STACK, 2 << 20, 2 << 20) {
        eprintln!("the stack cannot be limited: {e}");
        std::process::exit(2);
    }
    // The engine ends the process at the first panic, also where it would be caught; at the end of an input is enough.
    std::panic::set_hook(Box::new(|why| eprintln!("{why}")));
}

fuzz_target!(init: prepare(), |data: &[u8]| {
    if let Some(file) = LAST.get() {
        let mut note = (data.len() as u64).to_le_bytes().to_vec();
        note.extend_from_slice(data);
        let _ = file.write_all_at(&note, 0);
    }
    if let Some(target) = TARGET.get() {
        run(target, data);
    }
});
