//! The `heliu` binary: command line, project directory, wiring, answers.

mod alerts;
mod args;
mod caret;
mod channels;
mod clock;
mod cmd;
mod demo;
mod failpoints;
mod help;
mod identity;
mod lint;
mod maps;
mod output;
mod plans;
mod progress;
mod project;
mod report;
mod retention;
mod serve;
mod wire;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::FromArgMatches;
use heliu_model::{Failure, text};

use args::{Cli, Command};
use output::{Done, Out};

/// Logs on standard error. A service tells what it does, as text or as JSON lines (`heliu.toml`).
fn logging(cli: &Cli) {
    let serves = matches!(cli.command, Command::Serve(_));
    // A file that cannot be used is reported by the command itself.
    let json = serves && project::Project::open(&cli.common.project).is_ok_and(|p| p.settings.log_json);
    let level = match (cli.common.verbose, serves) {
        (0, false) => "warn",
        (0 | 1, _) => "heliu=info,warn",
        _ => "heliu=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("HELIU_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second initialisation cannot happen: this is the program's start.
    let _ = if json {
        subscriber.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        subscriber.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
}

async fn dispatch(cli: Cli, out: Out) -> Done {
    let common = cli.common;
    match cli.command {
        Command::Demo { dir, records } => demo::demo(&out, &common, &dir, records).await,
        Command::Run(args) => {
            on_a_worker(async move { cmd::run::run(&wire::App::open(&common, out)?, args).await }).await
        }
        Command::Init { dir } => cmd::init::init(&out, dir.as_deref().unwrap_or(&common.project)),
        Command::Status { plans } => cmd::state::status(&wire::App::open(&common, out)?, &plans).await,
        Command::Watermark { plan, set } => {
            cmd::state::watermark(&wire::App::open(&common, out)?, &plan, set.as_deref()).await
        }
        Command::Check { plans } => cmd::check::check(&wire::App::open(&common, out)?, &plans).await,
        Command::TestConnector { name } => cmd::connector::test(&wire::App::open(&common, out)?, &name).await,
        Command::Preview { plan, record, key } => {
            cmd::preview::preview(&wire::App::open(&common, out)?, &plan, record.as_deref(), key.as_deref())
                .await
        }
        Command::Import(args) => cmd::import::import(&wire::App::open(&common, out)?, &args).await,
        Command::Eval(args) => cmd::expr::eval(&common, &out, &args),
        Command::Render(args) => cmd::expr::render(&common, &out, &args),
        Command::Records { plan, state, id, number, limit } => {
            let filter = cmd::records::Filter { state, id, number, limit };
            cmd::records::records(&wire::App::open(&common, out)?, &plan, filter).await
        }
        Command::Calls { plan, run, id, curl, limit } => {
            cmd::calls::calls(&wire::App::open(&common, out)?, &plan, run, id, curl, limit).await
        }
        Command::Trace { plan, id } => cmd::trace::trace(&wire::App::open(&common, out)?, &plan, &id).await,
        Command::Retry { plan, state, id, filter } => {
            cmd::records::retry(&wire::App::open(&common, out)?, &plan, &state, id, &filter).await
        }
        Command::Certificate { plan, run } => {
            cmd::run::certificate(&wire::App::open(&common, out)?, &plan, run).await
        }
        Command::Token { connector, refresh } => {
            cmd::connector::token(&wire::App::open(&common, out)?, &connector, refresh).await
        }
        Command::Secret { action } => cmd::connector::secret(&wire::App::open(&common, out)?, action).await,
        Command::Serve(args) => serve::serve(&common, out, args).await,
        Command::Sandbox(args) => cmd::sandbox::sandbox(&out, args).await,
        Command::Platforms { name, action } => match action {
            None => cmd::platforms::platforms(&common, &out, name.as_deref()),
            Some(action) => cmd::platforms::act(&common, &out, action),
        },
        Command::Alerts { all, close, test } => {
            alerts::alerts(&wire::App::open(&common, out)?, all, close, test).await
        }
        Command::Retention { rebuild } => {
            retention::retention(&wire::App::open(&common, out)?, rebuild).await
        }
        Command::Explain { code } => cmd::explain::explain(&out, &code),
    }
}

/// Reads the command line; the exit status of help and of faults.
fn command_line() -> Result<Cli, ExitCode> {
    let lang = help::lang();
    let parsed = help::command(lang).try_get_matches().and_then(|m| Cli::from_arg_matches(&m));
    parsed.map_err(|e| {
        if !e.use_stderr() || e.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            // Help and version; whoever closed the pipe has seen enough.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
        let json = std::env::args().any(|a| a == "--json");
        ExitCode::from(Out { lang, json, quiet: false }.stop(help::failure(&e).into()))
    })
}

/// A write over the process's limit of file sizes (`ulimit -f`) is an error like a full disk, not the end.
#[cfg(unix)]
fn outlive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    // SIGXFSZ; its number is the same on all systems that have it. The handler stays when the stream goes.
    if let Err(e) = signal(SignalKind::from_raw(25)) {
        tracing::debug!(target: "heliu", "no handler for SIGXFSZ: {e}");
    }
}

/// Allocates in half the time of the C library's, for SQLite too (docs/decisions/0009).
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs what waits for other tasks again and again on the threads that run those: the main thread is no worker, and each
/// wake-up of it is another thread's.
async fn on_a_worker(work: impl Future<Output = Done> + Send + 'static) -> Done {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(e) => Err(Failure::internal(
                "HL-9001",
                text!("the program's work was cancelled: {e}", "程序的工作被取消:{e}"),
            )
            .into()),
        },
    }
}

fn main() -> ExitCode {
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let out = Out { lang: cli.common.lang(), json: cli.common.json, quiet: cli.common.quiet };
    logging(&cli);
    failpoints::arm();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let why = e.to_string();
            let f = Failure::internal(
                "HL-9001",
                text!("the program could not start: {why}", "程序无法启动:{why}"),
            );
            return ExitCode::from(out.stop(f.into()));
        }
    };
    let done = runtime.block_on(async {
        #[cfg(unix)]
        outlive_file_limits();
        dispatch(cli, out).await
    });
    // Reading standard input or a database may still block a thread; the answer is complete without it.
    runtime.shutdown_background();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(stop) => ExitCode::from(out.stop(stop)),
    }
}
