//! The command line (interface §3).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use heliu_model::Lang;

/// Moves business records between systems, and proves that none was lost.
#[derive(Debug, Parser)]
#[command(
    name = "heliu",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = COMMON)]
pub struct Common {
    /// Project directory
    #[arg(
        long,
        global = true,
        default_value = ".",
        value_name = "DIR",
        env = "HELIU_PROJECT",
        hide_env_values = true
    )]
    pub project: PathBuf,
    /// Data directory, instead of .heliu in the project
    #[arg(long, global = true, value_name = "DIR", env = "HELIU_DATA_DIR", hide_env_values = true)]
    pub data_dir: Option<PathBuf>,
    /// Machine-readable answer on standard output, nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of messages: zh or en [default: from the locale]
    #[arg(long, global = true, value_name = "LANG", value_parser = ["zh", "en"], hide_possible_values = true)]
    pub lang: Option<String>,
    /// Say less
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more (twice: even more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print this help
    #[arg(short, long, global = true, action = clap::ArgAction::Help)]
    pub help: Option<bool>,
    /// Print the version
    #[arg(short = 'V', long, global = true, action = clap::ArgAction::Version)]
    pub version: Option<bool>,
}

/// Heading of the options that every command has.
pub const COMMON: &str = "Common options";

impl Common {
    /// Language of messages.
    pub fn lang(&self) -> Lang {
        let word = self.lang.clone().unwrap_or_else(locale);
        if word.to_ascii_lowercase().starts_with("zh") { Lang::Zh } else { Lang::En }
    }
}

/// The locale's words, most specific first.
pub fn locale() -> String {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|v| std::env::var(v).ok().filter(|s| !s.is_empty()))
        .unwrap_or_default()
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole thing on this machine with no account: sandbox, plans, an embedded database, the certificate
    Demo {
        /// Directory that is made for it
        #[arg(default_value = "heliu-demo")]
        dir: PathBuf,
        /// Outbound orders that the sandbox has
        #[arg(long, default_value_t = 500, value_name = "N")]
        records: u32,
    },
    /// Run plans once, or resume their interrupted runs
    Run(RunArgs),
    /// Make a new project directory with commented examples
    Init {
        /// Directory [default: the project directory]
        dir: Option<PathBuf>,
    },
    /// Per plan: watermark, last run and certificate, backlog, next tick, request budgets
    Status {
        /// Plans [default: all]
        #[arg(value_name = "PLAN")]
        plans: Vec<String>,
    },
    /// Show or move the watermark
    Watermark {
        /// Plan
        plan: String,
        /// Move it to this time (recorded)
        #[arg(long, value_name = "T")]
        set: Option<String>,
    },
    /// Check connectors, manifests, plans and metadata; every problem at once
    Check {
        /// Plans [default: all]
        #[arg(value_name = "PLAN")]
        plans: Vec<String>,
    },
    /// Sign and send the platform's cheapest call
    TestConnector {
        /// Connector
        name: String,
    },
    /// Show the exact requests that would be sent; sends nothing
    Preview {
        /// Plan
        plan: String,
        /// A record (JSON file) for the target's write
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
        /// A stored record, by id, for the target's write
        #[arg(long, value_name = "ID")]
        key: Option<String>,
    },
    /// Turn published metadata (text, JSON, web page, .xlsx) into a plan; every repair is listed
    Import(ImportArgs),
    /// Evaluate one value expression of the dialect
    Eval(EvalArgs),
    /// Evaluate a whole metadata object
    Render(RenderArgs),
    /// List records with state, reason, times
    Records {
        /// Plan
        plan: String,
        /// Only this state: waiting queued written filtered rejected failed in_doubt
        #[arg(long, value_name = "S")]
        state: Option<String>,
        /// Only this id
        #[arg(long)]
        id: Option<String>,
        /// Only this number
        #[arg(long, value_name = "N")]
        number: Option<String>,
        /// At most so many (0: all) [default: 100, with --json all]
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// List calls, or show one in full with secrets masked
    Calls {
        /// Plan
        plan: String,
        /// Only this run
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        /// One call in full
        #[arg(long, value_name = "CALL")]
        id: Option<i64>,
        /// Print the call as a curl command
        #[arg(long)]
        curl: bool,
        /// At most so many (0: all) [default: 50, with --json all]
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// A record's whole story: source call, versions, renderings, write calls, outcome
    Trace {
        /// Plan
        plan: String,
        /// Record id
        #[arg(long)]
        id: String,
    },
    /// Put records back to waiting
    Retry {
        /// Plan
        plan: String,
        /// failed, in_doubt, or written (after a mapping was mended)
        #[arg(long, default_value = "failed", value_name = "S")]
        state: String,
        /// Only this id
        #[arg(long)]
        id: Option<String>,
        /// Only records whose content satisfies FIELD=VALUE (several: all of them)
        #[arg(long = "where", value_name = "FILTER")]
        filter: Vec<String>,
    },
    /// The balance of the last (or that) run; exit 1 if it does not add up
    Certificate {
        /// Plan
        plan: String,
        /// Run
        #[arg(long, value_name = "ID")]
        run: Option<String>,
    },
    /// Token state, expiry and refresh history (never the token itself)
    Token {
        /// Connector
        connector: String,
        /// Refresh it now
        #[arg(long)]
        refresh: bool,
    },
    /// Sealed secrets that connectors refer to by name
    Secret {
        /// What to do
        #[command(subcommand)]
        action: SecretAction,
    },
    /// Run plans by their schedules until it is told to stop
    Serve(ServeArgs),
    /// A faithful stand-in of a platform's open API
    Sandbox(SandboxArgs),
    /// Built-in and local platforms
    #[command(args_conflicts_with_subcommands = true)]
    Platforms {
        /// One platform in full
        name: Option<String>,
        /// What to do
        #[command(subcommand)]
        action: Option<PlatformsAction>,
    },
    /// What needs a person and is not over yet
    Alerts {
        /// Those that are over as well
        #[arg(long)]
        all: bool,
        /// Close an alert by hand
        #[arg(long, value_name = "ALERT", conflicts_with_all = ["all", "test"])]
        close: Option<i64>,
        /// Send a test message to every address of heliu.toml
        #[arg(long, conflicts_with = "all")]
        test: bool,
    },
    /// Remove what the settings let go: old calls, contents of written records; never anything unwritten
    Retention {
        /// Then write the ledger's file anew, without gaps; nothing else can run meanwhile
        #[arg(long)]
        rebuild: bool,
    },
    /// The page of an error code
    Explain {
        /// Code, such as HL-3001
        code: String,
    },
}

/// `run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Plans: file stems in plans/
    #[arg(required = true, value_name = "PLAN")]
    pub plans: Vec<String>,
    /// Back-fill from this time; leaves the watermark alone
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// Back-fill to this time; leaves the watermark alone
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
    /// Read and store only
    #[arg(long, conflicts_with = "target_only")]
    pub source_only: bool,
    /// Write what waits only
    #[arg(long, conflicts_with_all = ["from", "to", "limit"])]
    pub target_only: bool,
    /// Read at most so many elements; never moves the watermark
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Gap scan: read what omissionRemedy declares, store what is missing or changed, say why it was
    #[arg(long, conflicts_with_all = ["from", "to", "limit", "source_only", "target_only"])]
    pub remedy: bool,
    /// Plans that run at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
}

/// `import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Text, JSON, web page or parameter template (.xlsx); - is standard input
    pub file: PathBuf,
    /// Plan file to write [default: plans/NAME OF FILE.json in the project]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Source connector [default: by interface]
    #[arg(long, value_name = "CONNECTOR")]
    pub source: Option<String>,
    /// Target connector [default: by interface]
    #[arg(long, value_name = "CONNECTOR")]
    pub target: Option<String>,
    /// Replace the plan file if it is there
    #[arg(long)]
    pub force: bool,
    /// Print the plan instead of writing it
    #[arg(long)]
    pub print: bool,
    /// Interface that a parameter template is for
    #[arg(long, value_name = "NAME")]
    pub api: Option<String>,
    /// HTTP verb of that interface [default: POST]
    #[arg(long, value_name = "VERB")]
    pub method: Option<String>,
    /// Side that a parameter template is for [default: source if it has response fields]
    #[arg(long, value_parser = ["source", "target"])]
    pub side: Option<String>,
    /// Write the request and response of FILE as a parameter template instead
    #[arg(long, value_name = "XLSX", conflicts_with_all = ["output", "print", "map"])]
    pub to_xlsx: Option<PathBuf>,
    /// FILE is a value map (CSV, JSON, .xlsx): keep it as maps/ID.csv
    #[arg(long, value_name = "ID", conflicts_with = "output")]
    pub map: Option<String>,
}

/// `serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address of the health page, on this machine only, such as 127.0.0.1:8800 [default: none]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Scheduler and workers only, no console
    #[arg(long)]
    pub headless: bool,
}

/// `eval`
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Value expression
    #[arg(required_unless_present = "batch", conflicts_with = "batch", allow_hyphen_values = true)]
    pub expr: Option<String>,
    /// Record: a JSON file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// The bound row: path:n, n from 0
    #[arg(long, value_name = "PATH:N")]
    pub row: Option<String>,
    /// CURRENT_TIME
    #[arg(long, value_name = "T")]
    pub now: Option<String>,
    /// LAST_SYNC_TIME
    #[arg(long, value_name = "T")]
    pub last_sync: Option<String>,
    /// Time zone [default: Asia/Shanghai]
    #[arg(long, value_name = "Z")]
    pub tz: Option<String>,
    /// Item type
    #[arg(long = "type", value_name = "T")]
    pub ty: Option<String>,
    /// Item parser
    #[arg(long, value_name = "JSON")]
    pub parser: Option<String>,
    /// A function that cannot be evaluated is an error
    #[arg(long)]
    pub strict: bool,
    /// JSON lines instead of EXPR; - is standard input
    #[arg(long, value_name = "FILE")]
    pub batch: Option<PathBuf>,
}

/// `render`
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// Metadata file
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    pub metadata: Option<PathBuf>,
    /// Record: a JSON file (several times: as `operation` groups them)
    #[arg(long, value_name = "FILE")]
    pub record: Vec<PathBuf>,
    /// CURRENT_TIME
    #[arg(long, value_name = "T")]
    pub now: Option<String>,
    /// LAST_SYNC_TIME
    #[arg(long, value_name = "T")]
    pub last_sync: Option<String>,
    /// Page number
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub page: i64,
    /// Time zone [default: Asia/Shanghai]
    #[arg(long, value_name = "Z")]
    pub tz: Option<String>,
    /// JSON lines instead of METADATA; - is standard input
    #[arg(long, value_name = "FILE")]
    pub batch: Option<PathBuf>,
}

/// `platforms`
#[derive(Debug, Subcommand)]
pub enum PlatformsAction {
    /// Write a commented manifest to begin with, platforms/NAME.toml
    New {
        /// Name
        name: String,
    },
    /// Read a manifest's recorded replies as a run would
    Test {
        /// Manifest
        file: PathBuf,
    },
    /// Print the JSON schema of manifests, for editors
    Schema,
}

/// `secret`
#[derive(Debug, Subcommand)]
pub enum SecretAction {
    /// Set a secret; its text is read from standard input
    Set {
        /// Name
        name: String,
    },
    /// List names
    List,
    /// Replace the sealing key: every secret and token is sealed anew
    Rotate,
    /// Remove a secret
    Rm {
        /// Name
        name: String,
    },
}

/// `sandbox`
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Platform: jushuitan (聚水潭), kuaimai, okki, kingdee, yonyou, dingtalk, wecom, qeasy-open, or bench (a plain fast source)
    pub platform: String,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8801", value_name = "ADDR")]
    pub listen: String,
    /// Records it has
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub records: u32,
    /// Seed of its data and faults
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Faults, comma separated: NAME, NAME:PROBABILITY, NAME@CALL, NAME@FROM-TO; those there are stand below
    #[arg(long, default_value = "", value_name = "LIST", hide_default_value = true)]
    pub faults: String,
    /// Delay of every answer in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub latency: u64,
    /// Requests a second before it throttles, and sixty times that a minute; 0: not at all
    /// [default: the platform's own limits]
    #[arg(long, value_name = "N")]
    pub limit_rps: Option<u32>,
}
