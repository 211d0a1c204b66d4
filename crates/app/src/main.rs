//! The `heliu` binary: command line, project directory, wiring, answers.

mod args;
mod clock;
mod cmd;
mod demo;
mod lint;
mod output;
mod progress;
mod project;
mod wire;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use heliu_model::{Failure, Lang, text};

use args::{ABOUT_ZH, Cli, Command};
use output::{Done, Out};

/// The command line with descriptions in the user's language.
fn command(lang: Lang) -> clap::Command {
    let mut command = Cli::command();
    if lang == Lang::Zh {
        command = command.about("在业务系统之间搬运数据,并证明一条不漏");
        for (name, about) in ABOUT_ZH {
            command = command.mut_subcommand(*name, |c| c.about(*about));
        }
    }
    command
}

/// `--help` is printed before options are parsed: its language comes from the raw arguments.
fn help_lang() -> Lang {
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().enumerate().find_map(|(i, a)| match a.strip_prefix("--lang") {
        Some("") => args.get(i + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    if given.unwrap_or_else(args::locale).starts_with("zh") { Lang::Zh } else { Lang::En }
}

fn logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "heliu=info,warn",
        _ => "heliu=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("HELIU_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // A second initialisation cannot happen: this is the program's start.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

async fn dispatch(cli: Cli, out: Out) -> Done {
    let common = cli.common;
    match cli.command {
        Command::Demo { dir, records } => demo::demo(&out, &dir, records).await,
        Command::Run(args) => cmd::run::run(&wire::App::open(&common, out)?, args).await,
        Command::Init { dir } => cmd::init::init(&out, &dir),
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
        Command::Sandbox(args) => cmd::sandbox::sandbox(&out, args).await,
        Command::Platforms { name } => cmd::platforms::platforms(&common, &out, name.as_deref()),
        Command::Explain { code } => cmd::explain::explain(&out, &code),
    }
}

fn main() -> ExitCode {
    let matches = command(help_lang()).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(e) => e.exit(),
    };
    let out = Out { lang: cli.common.lang(), json: cli.common.json, quiet: cli.common.quiet };
    logging(cli.common.verbose);
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
    let done = runtime.block_on(dispatch(cli, out));
    // Reading standard input or a database may still block a thread; the answer is complete without it.
    runtime.shutdown_background();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(stop) => ExitCode::from(out.stop(stop)),
    }
}
