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
pub struct Common {
    /// Project directory
    #[arg(long, global = true, default_value = ".", value_name = "DIR", env = "HELIU_PROJECT")]
    pub project: PathBuf,
    /// Data directory, instead of .heliu in the project
    #[arg(long, global = true, value_name = "DIR", env = "HELIU_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Machine-readable answer on standard output, nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of messages: zh or en [default: from the locale]
    #[arg(long, global = true, value_name = "LANG", value_parser = ["zh", "en"])]
    pub lang: Option<String>,
    /// Say less
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more (twice: even more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

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
        /// Directory
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Per plan: watermark, last run and certificate, backlog, next tick
    Status {
        /// Plans [default: all]
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
    /// Turn published metadata (text, JSON, web page) into a plan; every repair is listed
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
        /// At most so many (0: all)
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
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
        /// At most so many (0: all)
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
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
    /// A faithful stand-in of a platform's open API
    Sandbox(SandboxArgs),
    /// Built-in and local platforms
    Platforms {
        /// One platform in full
        name: Option<String>,
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
    /// Plans
    #[arg(required = true)]
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
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Gap scan: read what omissionRemedy declares, store what is missing or changed, say why it was
    #[arg(long, conflicts_with_all = ["from", "to", "limit", "source_only", "target_only"])]
    pub remedy: bool,
    /// Plans that run at the same time
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub parallel: usize,
}

/// `import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Text, JSON or web page; - is standard input
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
    /// Remove a secret
    Rm {
        /// Name
        name: String,
    },
}

/// `sandbox`
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Platform [see `heliu sandbox --help`]
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
    /// Faults, comma separated: name, name:probability, name@n
    #[arg(long, default_value = "", value_name = "LIST")]
    pub faults: String,
    /// Delay of every answer in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub latency: u64,
    /// Requests a second before it throttles (0: not at all)
    #[arg(long, value_name = "N")]
    pub limit_rps: Option<u32>,
}

/// Short descriptions in Chinese, by command.
pub const ABOUT_ZH: &[(&str, &str)] = &[
    ("demo", "无需账号,在本机完整演示:沙箱、方案、内嵌数据库、完整性证明"),
    ("run", "运行一次方案,或继续被中断的运行"),
    ("init", "新建带注释示例的项目目录"),
    ("status", "各方案的水位线、最近运行与证明、积压、下次触发"),
    ("watermark", "查看或移动水位线"),
    ("check", "检查连接器、平台清单、方案与元数据,一次列出所有问题"),
    ("test-connector", "签名并发送平台最轻的调用"),
    ("preview", "显示将要发送的请求,但不发送"),
    ("import", "将公开的元数据(文本、JSON、网页)导入为方案,并列出每处修复"),
    ("eval", "计算一个元数据取值表达式"),
    ("render", "计算整个元数据"),
    ("records", "列出数据及其状态、原因、时间"),
    ("calls", "列出调用,或完整显示一次调用(机密已遮蔽)"),
    ("trace", "一条数据的全过程:来源调用、版本、渲染、写入调用、结果"),
    ("retry", "把数据放回等待"),
    ("certificate", "最近一次(或指定)运行的完整性证明;不平衡时退出码为 1"),
    ("token", "令牌状态、有效期与刷新历史(不显示令牌本身)"),
    ("secret", "封存的机密,供连接器按名称引用"),
    ("sandbox", "平台开放接口的仿真服务"),
    ("platforms", "内置与本地平台"),
    ("explain", "错误代码说明"),
];
