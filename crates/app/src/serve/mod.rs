//! `serve`: plans run by their schedules until the service is told to stop.

mod files;
mod health;
mod live;
mod report;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use heliu_engine::{Change, Scheduler, Stop as Wish};
use heliu_model::{Lang, text};
use serde_json::json;
use tokio::sync::mpsc;

use self::files::Files;
use self::live::Live;
use self::report::Report;
use crate::args::{Common, ServeArgs};
use crate::cmd::run::until_interrupted;
use crate::output::{Done, Out};
use crate::wire::App;

/// Files are looked at so often.
const LOOK: Duration = Duration::from_secs(1);
/// Runs at the same time, unless the settings say otherwise.
const WORKERS: usize = 16;

/// `heliu serve`
pub async fn serve(common: &Common, out: Out, args: ServeArgs) -> Done {
    let app = App::open(common, out)?;
    let ledger = app.ledger()?;
    let report = Arc::new(Report::new(out.lang));
    let live = Arc::new(Live::new(&app, ledger.clone(), report.clone())?);
    let listener = match args.listen.as_ref().or(app.project.settings.listen.as_ref()) {
        Some(address) => Some(health::bind(address).await?),
        None => None,
    };
    let listen = listener.as_ref().and_then(|l| l.local_addr().ok()).map(|a| a.to_string());
    // The wish is heard from here on: reading many files may take a while.
    let wish = stop_wish(out);
    let mut files = Files::new(&app.project.dir);
    let mut suspects = HashMap::new();
    let list = files.look();
    let first = live.absorb(&mut files, list, &mut suspects).await;
    let workers = live.generation().app.project.settings.workers.unwrap_or(WORKERS);
    let (changes, heard) = mpsc::channel(4);
    let plans = first.len();
    // The channel is empty and open: it takes this.
    let _ = changes.send(first).await;
    let scheduler = Scheduler::new(
        Arc::new(app.engine(&ledger).alarm(live.alarm(&ledger))),
        Arc::new(ledger.clone()),
        Arc::new(ledger.clone()),
        app.clock.clone(),
        live.clone(),
        report.clone(),
        workers,
    );
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(listener) = listener {
        tasks.spawn(health::serve(listener, report.clone(), live.clone()));
    }
    tasks.spawn(watch(live.clone(), files, suspects, changes));
    let settings = live.clone();
    tasks.spawn(crate::retention::in_service(move || settings.app(), ledger.clone(), wish.clone()));
    let settings = live.clone();
    tasks.spawn(crate::alerts::in_service(move || settings.app(), ledger.clone()));
    greet(&out, &args, plans, &report.broken_files(), listen.as_deref());
    scheduler.run(heard, wish).await;
    tasks.abort_all();
    // What the last runs had to say.
    live.app().tell(&ledger).await;
    let words = if out.lang == Lang::Zh { "服务已停止" } else { "service stopped" };
    tracing::info!(target: "heliu", event = "stopped", "{words}");
    Ok(0)
}

fn greet(out: &Out, args: &ServeArgs, plans: usize, broken: &[String], listen: Option<&str>) {
    if out.json {
        let ready = json!({"ready": true, "plans": plans, "broken": broken, "listen": listen, "headless": args.headless});
        out.value(&ready);
    } else {
        let n = broken.len();
        let mut line = out.say(&text!("heliu runs {plans} plans", "heliu 正在运行 {plans} 个方案"));
        if n > 0 {
            line.push_str(&out.say(&text!(
                "; {n} files cannot be used: `heliu check` says why",
                ";{n} 个文件无法使用,`heliu check` 可查看原因"
            )));
        }
        if let Some(listen) = listen {
            line.push_str(&format!("; http://{listen}/health"));
        }
        out.line(&line);
    }
    if !args.headless {
        out.hint(&text!(
            "the web console is not built into this version yet: plans run, pages do not",
            "此版本尚未内置网页控制台:方案会运行,但没有页面"
        ));
    }
}

/// Looks at the project's files for as long as the service lives.
async fn watch(
    live: Arc<Live>,
    mut files: Files,
    mut suspects: HashMap<String, files::Stamp>,
    changes: mpsc::Sender<Vec<Change>>,
) {
    loop {
        tokio::time::sleep(LOOK).await;
        let looked = tokio::task::spawn_blocking(move || {
            let list = files.look();
            (files, list)
        });
        let list;
        (files, list) = match looked.await {
            Ok(done) => done,
            Err(_) => return,
        };
        if list.is_empty() {
            continue;
        }
        let more = live.absorb(&mut files, list, &mut suspects).await;
        if !more.is_empty() && changes.send(more).await.is_err() {
            return;
        }
    }
}

/// The first signal finishes the pages in flight, the second ends at once.
fn stop_wish(out: Out) -> Wish {
    let (tx, wish) = Wish::new();
    tokio::spawn(async move {
        until_interrupted().await;
        let words = if out.lang == Lang::Zh {
            "收到停止信号:完成当前页后停止,再次发送立即停止"
        } else {
            "told to stop: finishing the pages in flight; once more ends at once"
        };
        tracing::info!(target: "heliu", event = "stopping", "{words}");
        let _ = tx.send(true);
        until_interrupted().await;
        std::process::exit(3);
    });
    wish
}
