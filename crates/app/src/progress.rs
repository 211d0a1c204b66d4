//! A progress bar on standard error, where that is a terminal.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use heliu_engine::Progress;
use heliu_model::{Failure, Lang};
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    window: (u32, u32),
    pages: u64,
    read: u64,
    total: Option<u64>,
    written: u64,
    other: u64,
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}

/// The bar of one run.
pub struct Bar {
    bar: ProgressBar,
    lang: Lang,
    figures: Mutex<Figures>,
}

impl Bar {
    /// A bar, or none where nobody sees it.
    pub fn new(plan: &str, lang: Lang, quiet: bool) -> Option<Bar> {
        if quiet || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(style("{spinner} {prefix}  {msg}  {elapsed}"));
        bar.set_prefix(plan.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(Bar { bar, lang, figures: Mutex::default() })
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, change: impl FnOnce(&mut Figures)) {
        let mut f = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut f);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let rate = (f.read as f64 / seconds) as u64;
        let window =
            if f.window.1 > 1 { format!("[{}/{}] ", f.window.0 + 1, f.window.1) } else { String::new() };
        if let Some(total) = f.total.filter(|t| *t > 0) {
            if self.bar.length().is_none() {
                self.bar.set_style(style("{spinner} {prefix} [{bar:24}] {msg}  {elapsed}"));
            }
            self.bar.set_length(total);
            self.bar.set_position(f.read.min(total));
        }
        let read = f.total.map_or_else(|| f.read.to_string(), |t| format!("{}/{t}", f.read));
        let (pages, written, other) = (f.pages, f.written, f.other);
        let mut msg = match self.lang {
            Lang::Zh => format!("{window}{pages} 页  读取 {read}  写入 {written}  {rate} 条/秒"),
            Lang::En => format!("{window}{pages} pages  {read} read  {written} written  {rate}/s"),
        };
        if other > 0 {
            msg.push_str(&match self.lang {
                Lang::Zh => format!("  未写入 {other}"),
                Lang::En => format!("  {other} not written"),
            });
        }
        self.bar.set_message(msg);
    }
}

impl Progress for Bar {
    fn window(&self, seq: u32, of: u32) {
        self.show(|f| f.window = (seq, of));
    }

    fn page(&self, elements: u64, total: Option<u64>) {
        self.show(|f| {
            f.pages += 1;
            f.read += elements;
            f.total = total.or(f.total);
        });
    }

    fn settled(&self, written: u64, other: u64) {
        self.show(|f| {
            f.written += written;
            f.other += other;
        });
    }

    fn waiting(&self, why: &Failure, wait_ms: u64) {
        let seconds = wait_ms as f64 / 1000.0;
        let why = why.message.get(self.lang);
        self.bar.println(match self.lang {
            Lang::Zh => format!("  {seconds:.1} 秒后重试:{why}"),
            Lang::En => format!("  again in {seconds:.1} s: {why}"),
        });
    }
}
