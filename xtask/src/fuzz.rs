//! `cargo xtask fuzz [--seconds N] [--jobs N] [--seed N] [--keep] [TARGET …]`: drives the fuzz targets, on the stable
//! toolchain.
//!
//! With a seed the engine starts from the repository's corpus alone and makes the same inputs each time, so that a
//! change is judged by what it changes; without one it goes on from what it saw before, and finds other things.
//!
//! The engine needs the code instrumented for coverage; the compiler's stable options do that, in a directory of their
//! own, because they would otherwise build everything else again, too.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use heliu_fuzz::{MAX_LEN, TARGETS, Target, target};

/// Options of the compiler that count the edges and note the comparisons.
const INSTRUMENTED: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Most bytes of the corpus that is kept in the repository, a target.
const MAX_KEPT: u64 = 25_000;

struct Dirs {
    /// The repository's corpus.
    corpus: PathBuf,
    /// What the engine finds, and leaves behind.
    work: PathBuf,
}

/// Drives them.
///
/// # Errors
/// Wrong options; what was found, each with the file that holds the input.
pub fn run(args: &[String]) -> Result<(), String> {
    let (mut seconds, mut jobs, mut seed, mut keep, mut chosen) = (60u32, 2usize, None, false, Vec::new());
    let mut rest = args.iter();
    while let Some(option) = rest.next() {
        let mut number = || {
            let value = rest.next().ok_or_else(|| format!("{option} needs a number"))?;
            value.parse::<u32>().map_err(|_| format!("{option}: `{value}` is no number"))
        };
        match option.as_str() {
            "--seconds" => seconds = number()?.max(1),
            "--jobs" => jobs = number()?.max(1) as usize,
            "--seed" => seed = Some(number()?.max(1)),
            "--keep" => keep = true,
            name => chosen.push(target(name).ok_or_else(|| {
                let names = TARGETS.iter().map(|t| t.name).collect::<Vec<_>>().join(", ");
                format!("no target `{name}`; there are {names}, and --seconds N, --jobs N, --seed N, --keep")
            })?),
        }
    }
    if chosen.is_empty() {
        chosen.extend(TARGETS);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?.to_owned();
    let binary = build(&root)?;
    let dirs = Dirs { corpus: root.join("fuzz/corpus"), work: root.join("target/fuzz/work") };
    let mut waiting: VecDeque<&Target> = chosen.iter().copied().collect();
    let mut running: VecDeque<(&Target, Child)> = VecDeque::new();
    let mut found = Vec::new();
    loop {
        while running.len() < jobs
            && let Some(next) = waiting.pop_front()
        {
            running.push_back((next, start(&binary, next, &dirs, seconds, seed)?));
        }
        // All run for the same time: the first that was started is the first to end.
        let Some((target, mut child)) = running.pop_front() else { break };
        let status = child.wait().map_err(|e| format!("{}: {e}", target.name))?;
        println!("{:12} {}", target.name, last_words(target, &dirs));
        if !status.success() {
            found.push(finding(target, &dirs, &status.to_string()));
        }
    }
    if !found.is_empty() {
        return Err(format!("\n{}", found.join("\n")));
    }
    if keep {
        chosen.iter().try_for_each(|t| distil(&binary, t, &dirs, seed))?;
    }
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let target = root.join("target/fuzz");
    let host = host()?;
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "heliu-fuzz",
            "--features",
            "engine",
            "--profile",
            "fuzz",
        ])
        // With a target named, build scripts stay as they are.
        .args(["--target", &host, "--target-dir"])
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTED.join("\u{1f}"))
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("the targets do not build".into());
    }
    Ok(target.join(host).join("fuzz/heliu-fuzz"))
}

/// The machine's own triple.
fn host() -> Result<String, String> {
    let out = Command::new("rustc").arg("-vV").output().map_err(|e| format!("rustc: {e}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let host = text.lines().find_map(|l| l.strip_prefix("host: ")).ok_or("rustc names no host")?;
    Ok(host.to_owned())
}

impl Dirs {
    fn of(&self, target: &Target) -> PathBuf {
        self.work.join(target.name)
    }

    /// Inputs that reach something new.
    fn seen(&self, target: &Target, seed: Option<u32>) -> PathBuf {
        self.of(target).join(if seed.is_some() { "seeded" } else { "seen" })
    }
}

fn make(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}

fn start(
    binary: &Path,
    target: &Target,
    dirs: &Dirs,
    seconds: u32,
    seed: Option<u32>,
) -> Result<Child, String> {
    let work = dirs.of(target);
    let seen = dirs.seen(target, seed);
    let artifacts = work.join("found");
    if seed.is_some() {
        let _ = fs::remove_dir_all(&seen);
    }
    // What was found before is in the repository by now, or not of this code.
    let _ = fs::remove_dir_all(&artifacts);
    for dir in [&seen, &artifacts, &dirs.corpus.join(target.name)] {
        make(dir)?;
    }
    let words: String = (target.words)().iter().map(|w| format!("\"{}\"\n", escaped(w))).collect();
    let dictionary = work.join("words");
    fs::write(&dictionary, words).map_err(|e| format!("{}: {e}", dictionary.display()))?;
    let log = fs::File::create(work.join("log")).map_err(|e| e.to_string())?;
    let mut prefix = artifacts.into_os_string();
    prefix.push("/");
    Command::new(binary)
        .arg(&seen)
        .arg(dirs.corpus.join(target.name))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_LEN}"))
        // Zero: the engine chooses.
        .arg(format!("-seed={}", seed.unwrap_or(0)))
        // The target itself counts processor time; this ends what never comes back.
        .args([
            "-timeout=60",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            "-verbosity=1",
            "-len_control=50",
        ])
        .arg(format!("-dict={}", dictionary.display()))
        .arg(format!("-artifact_prefix={}", prefix.display()))
        .env("HELIU_FUZZ", target.name)
        .env("HELIU_FUZZ_LAST", work.join("last"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|e| format!("{}: {e}", binary.display()))
}

/// A word as dictionaries write it.
fn escaped(word: &str) -> String {
    word.bytes()
        .map(|b| match b {
            b'"' | b'\\' => format!("\\{}", char::from(b)),
            0x20..=0x7e => char::from(b).to_string(),
            _ => format!("\\x{b:02X}"),
        })
        .collect()
}

fn log_of(target: &Target, dirs: &Dirs) -> String {
    String::from_utf8_lossy(&fs::read(dirs.of(target).join("log")).unwrap_or_default()).into_owned()
}

/// The engine's figures.
fn last_words(target: &Target, dirs: &Dirs) -> String {
    let log = log_of(target, dirs);
    let stat = |name: &str| {
        let line = log.lines().find(|l| l.starts_with("stat::") && l.contains(name)).unwrap_or("");
        line.rsplit(' ').next().unwrap_or("?").to_owned()
    };
    let coverage = log.lines().rev().find_map(|l| l.split_once("cov: ")).map_or("?", |(_, r)| r);
    let coverage = coverage.split(' ').next().unwrap_or("?");
    format!(
        "{:>9} inputs, {:>6} edges, {:>4} MiB at the peak",
        stat("number_of_executed_units"),
        coverage,
        stat("peak_rss_mb")
    )
}

/// What a target that ended badly left behind.
fn finding(target: &Target, dirs: &Dirs, status: &str) -> String {
    let work = dirs.of(target);
    let mut files: Vec<PathBuf> =
        fs::read_dir(work.join("found")).into_iter().flatten().flatten().map(|e| e.path()).collect();
    if files.is_empty()
        && let Ok(note) = fs::read(work.join("last"))
        && let Some((length, rest)) = note.split_first_chunk::<8>()
    {
        // No handler outlives a stack that overflows.
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(0);
        let path = work.join("found/last");
        if fs::write(&path, rest.get(..length).unwrap_or(rest)).is_ok() {
            files.push(path);
        }
    }
    let log = log_of(target, dirs);
    let why: Vec<&str> =
        log.lines().filter(|l| !l.starts_with('#') && !l.starts_with("stat::")).rev().take(30).collect();
    let why: Vec<&str> = why.into_iter().rev().collect();
    // The log may be all that is left of the machine.
    let shown = files.iter().map(|f| match fs::read(f) {
        Ok(data) => format!("{}, in base64 {}", f.display(), BASE64.encode(data)),
        Err(e) => format!("{}: {e}", f.display()),
    });
    let shown: Vec<String> = shown.collect();
    format!(
        "{}: {status}\n{}\nthe input: {}\nmend it, and keep the input in fuzz/corpus/{}/ under a name that says what it is",
        target.name,
        why.join("\n"),
        shown.join(", "),
        target.name
    )
}

/// Adds the inputs to the repository's corpus that lead where it does not lead yet, the smallest first, up to a bound.
fn distil(binary: &Path, target: &Target, dirs: &Dirs, seed: Option<u32>) -> Result<(), String> {
    let kept = dirs.corpus.join(target.name);
    let merged = dirs.of(target).join("merged");
    let _ = fs::remove_dir_all(&merged);
    make(&merged)?;
    for entry in fs::read_dir(&kept).into_iter().flatten().flatten() {
        fs::copy(entry.path(), merged.join(entry.file_name())).map_err(|e| e.to_string())?;
    }
    let status = Command::new(binary)
        .args(["-merge=1", "-timeout=60"])
        .arg(&merged)
        .arg(dirs.seen(target, seed))
        .env("HELIU_FUZZ", target.name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("{}: the corpus cannot be merged", target.name));
    }
    let sizes = |dir: &Path| {
        let all = fs::read_dir(dir).into_iter().flatten().flatten();
        all.map(|e| (e.metadata().map_or(0, |m| m.len()), e.path())).collect::<Vec<_>>()
    };
    let mut total: u64 = sizes(&kept).iter().map(|s| s.0).sum();
    let mut news = sizes(&merged);
    news.sort();
    for (size, path) in news {
        let to = kept.join(path.file_name().unwrap_or_default());
        if !to.exists() && total + size <= MAX_KEPT {
            fs::copy(&path, to).map_err(|e| e.to_string())?;
            total += size;
        }
    }
    Ok(())
}
