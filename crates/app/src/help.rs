//! Help in the user's language, and what is said about a wrong command line.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use heliu_model::{Failure, Lang, Text, text};
use heliu_sandbox::Faults;
use unicode_width::UnicodeWidthStr;

use crate::args::{COMMON, Cli, locale};

/// Language of help and of faults of the command line: both come before options are parsed.
pub fn lang() -> Lang {
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().enumerate().find_map(|(i, a)| match a.strip_prefix("--lang") {
        Some("") => args.get(i + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    if given.unwrap_or_else(locale).to_ascii_lowercase().starts_with("zh") { Lang::Zh } else { Lang::En }
}

/// The command line, with texts in the user's language.
pub fn command(lang: Lang) -> Command {
    let mut command = numbers(Cli::command().mut_subcommand("sandbox", |c| c.after_help(faults(lang))));
    if lang == Lang::Zh {
        command = chinese(command.about("在业务系统之间搬运数据,并证明一条不漏"), "");
    }
    command
}

/// What begins with a minus and a digit is a value: it is judged as one, instead of being taken for an option.
fn numbers(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = command.mut_args(|a| {
        let valued = !a.is_positional() && a.get_action().takes_values();
        if valued { a.allow_negative_numbers(true) } else { a }
    });
    names.iter().fold(command, |c, name| c.mut_subcommand(name, numbers))
}

/// The faults that a sandbox knows, one a line.
fn faults(lang: Lang) -> String {
    let known: Vec<_> = Faults::known().collect();
    let width = known.iter().map(|f| f.0.width()).max().unwrap_or(0);
    let mut out = String::from(if lang == Lang::Zh { "故障:" } else { "Faults:" });
    for (name, en, zh) in known {
        out.push_str(&format!("\n  {name:width$}  {}", if lang == Lang::Zh { zh } else { en }));
    }
    out
}

const TEMPLATE: &str = "{before-help}{about-with-newline}\n用法: {usage}\n\n{all-args}{after-help}";

/// Replaces the texts of a command, its arguments and its subcommands. `path`: the commands above, with a blank each.
fn chinese(command: Command, path: &str) -> Command {
    let mut command = command.help_template(TEMPLATE).subcommand_help_heading("命令");
    let args: Vec<(String, bool, Option<String>)> = command
        .get_arguments()
        .map(|a| (a.get_id().to_string(), a.is_positional(), a.get_help_heading().map(str::to_owned)))
        .collect();
    for (id, positional, heading) in args {
        let words = ARGS
            .iter()
            .find(|(at, name, _)| *name == id && *at == path.trim_end())
            .or_else(|| ARGS.iter().find(|(at, name, _)| *name == id && at.is_empty()));
        command = command.mut_arg(&id, |mut a| {
            if let Some((_, _, help)) = words {
                a = a.help(*help);
            }
            a.help_heading(match heading.as_deref() {
                Some(COMMON) => "通用选项",
                _ if positional => "参数",
                _ => "选项",
            })
        });
    }
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for name in names {
        let inner = format!("{path}{name}");
        let about = ABOUT.iter().find(|(n, _)| *n == inner).map(|(_, about)| *about);
        command = command.mut_subcommand(&name, |c| {
            let c = match about {
                Some(about) => c.about(about),
                None => c,
            };
            chinese(c, &format!("{inner} "))
        });
    }
    command
}

/// A fault of the command line as a failure: one sentence, and where to look.
pub fn failure(e: &clap::Error) -> Failure {
    let get = |kind: ContextKind| match e.get(kind) {
        Some(ContextValue::String(s)) => s.clone(),
        Some(ContextValue::Strings(list)) => list.join(", "),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let (arg, value) = (get(ContextKind::InvalidArg), get(ContextKind::InvalidValue));
    let words: Text = match e.kind() {
        ErrorKind::MissingRequiredArgument => {
            text!("the command needs {arg}", "命令缺少 {arg}")
        }
        ErrorKind::UnknownArgument => text!("there is no option `{arg}`", "没有选项 `{arg}`"),
        ErrorKind::InvalidSubcommand => {
            let name = get(ContextKind::InvalidSubcommand);
            text!("there is no command `{name}`", "没有命令 `{name}`")
        }
        ErrorKind::MissingSubcommand => text!("a command is missing", "缺少命令"),
        ErrorKind::ArgumentConflict => {
            let other = get(ContextKind::PriorArg);
            text!("`{arg}` and `{other}` exclude each other", "`{arg}` 与 `{other}` 不能同时使用")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            text!("`{arg}` needs a value", "`{arg}` 需要一个值")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let digits = value.trim_start_matches('-');
            let number = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
            match (number, value.starts_with('-'), digits.contains('.')) {
                (true, true, _) => text!(
                    "`{value}` is no value for `{arg}`: it cannot be negative",
                    "`{arg}` 的值 `{value}` 无效:不能为负数"
                ),
                (true, _, true) => text!(
                    "`{value}` is no value for `{arg}`: it is a whole number",
                    "`{arg}` 的值 `{value}` 无效:应为整数"
                ),
                (true, _, _) => {
                    text!(
                        "`{value}` is no value for `{arg}`: out of range",
                        "`{arg}` 的值 `{value}` 无效:超出范围"
                    )
                }
                _ => text!("`{value}` is no value for `{arg}`", "`{arg}` 的值 `{value}` 无效"),
            }
        }
        _ => {
            let said = e.to_string();
            let said = said.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
            text!("the command line is wrong: {said}", "命令行有误:{said}")
        }
    };
    // A suggestion that shares only a few letters is worse than none.
    let wrong = match e.kind() {
        ErrorKind::UnknownArgument => arg,
        ErrorKind::InvalidSubcommand => get(ContextKind::InvalidSubcommand),
        _ => value,
    };
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
        .into_iter()
        .map(get)
        .chain((e.kind() == ErrorKind::InvalidSubcommand).then(commands).into_iter().flatten())
        .collect::<Vec<_>>();
    let near = heliu_transform::nearest(&wrong, near.iter().map(String::as_str).filter(|s| !s.is_empty()));
    let valid = get(ContextKind::ValidValue);
    let hint = match (near, valid.is_empty()) {
        _ if wrong == "worker" => text!(
            "workers on several machines need a ledger in PostgreSQL, which is not there yet; `heliu serve --headless` schedules and works on one",
            "多机 worker 需要 PostgreSQL 台账,目前尚未提供;单机请用 `heliu serve --headless`"
        ),
        (Some(near), _) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
        (None, false) => text!("it can be {valid}", "可用 {valid}"),
        (None, true) => text!(
            "`heliu --help` lists the commands, `heliu COMMAND --help` their options",
            "`heliu --help` 列出命令,`heliu 命令 --help` 列出其选项"
        ),
    };
    Failure::config("HL-8020", words).hint(hint)
}

/// Names of all commands.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect()
}

/// Short descriptions of commands, in Chinese.
const ABOUT: &[(&str, &str)] = &[
    ("demo", "无需账号,在本机完整演示:沙箱、方案、内嵌数据库、完整性证明"),
    ("run", "运行一次方案,或继续被中断的运行"),
    ("init", "新建带注释示例的项目目录"),
    ("status", "各方案的水位线、最近运行与证明、积压、下次触发、请求额度"),
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
    ("secret set", "设置机密,内容从标准输入读取"),
    ("secret list", "列出名称"),
    ("secret rm", "删除机密"),
    ("secret rotate", "更换封存密钥:重新封存所有机密与令牌"),
    ("serve", "按调度持续运行方案,直到收到停止信号"),
    ("sandbox", "平台开放接口的仿真服务"),
    ("platforms", "内置与本地平台"),
    ("platforms new", "生成带注释的平台清单 platforms/名称.toml"),
    ("platforms test", "按运行时的方式读取清单中录制的响应"),
    ("platforms schema", "输出清单的 JSON Schema,供编辑器使用"),
    ("alerts", "需要人工处理且尚未恢复的告警"),
    ("retention", "按保留策略清除旧调用与已写入数据的内容;未写入的永远保留"),
    ("explain", "错误代码说明"),
];

/// Descriptions of arguments in Chinese: command (empty: any), argument, text.
const ARGS: &[(&str, &str, &str)] = &[
    ("", "project", "项目目录"),
    ("", "data_dir", "数据目录,默认为项目中的 .heliu"),
    ("", "json", "在标准输出给出机器可读的答案,不含其他内容"),
    ("", "lang", "消息语言:zh 或 en,默认取自区域设置"),
    ("", "quiet", "少说"),
    ("", "verbose", "多说(写两次更详细)"),
    ("", "help", "显示帮助"),
    ("", "version", "显示版本"),
    ("", "plan", "方案"),
    ("", "plans", "方案,默认全部"),
    ("run", "plans", "方案:plans/ 中的文件名"),
    ("run", "from", "从该时间起补数,不移动水位线"),
    ("run", "to", "补数到该时间,不移动水位线"),
    ("run", "source_only", "只读取并保存"),
    ("run", "target_only", "只写入等待中的数据"),
    ("run", "limit", "最多读取这么多条;不移动水位线"),
    ("run", "remedy", "漏单补偿:读取 omissionRemedy 声明的范围,补存缺失或变化的数据,并说明原因"),
    ("run", "parallel", "同时运行的方案数"),
    ("demo", "dir", "为演示新建的目录"),
    ("demo", "records", "沙箱中的销售出库单数"),
    ("init", "dir", "目录,默认为项目目录"),
    ("alerts", "all", "包括已恢复的"),
    ("alerts", "close", "手动关闭一个告警"),
    ("alerts", "test", "向 heliu.toml 中的每个地址发送测试消息"),
    ("retention", "rebuild", "随后重写台账文件,消除空隙;期间不能有其他运行"),
    ("watermark", "set", "移动到该时间(会留下记录)"),
    ("test-connector", "name", "连接器"),
    ("preview", "record", "用于目标写入的数据(JSON 文件)"),
    ("preview", "key", "用于目标写入的已存数据的 id"),
    ("import", "file", "文本、JSON 或网页;- 表示标准输入"),
    ("import", "output", "要写入的方案文件,默认为项目中的 plans/文件名.json"),
    ("import", "source", "来源连接器,默认按接口判断"),
    ("import", "target", "目标连接器,默认按接口判断"),
    ("import", "force", "方案文件已存在时覆盖"),
    ("import", "print", "只显示方案,不写入文件"),
    ("import", "api", "参数模板所属的接口"),
    ("import", "method", "该接口的 HTTP 方法,默认 POST"),
    ("import", "side", "表格模板属于哪一侧:source 或 target;默认:含响应字段时为 source"),
    ("import", "to_xlsx", "改为将 FILE 的请求与响应参数写成厂商的参数模板"),
    ("import", "map", "FILE 为值映射(CSV、JSON、.xlsx):保存为 maps/ID.csv"),
    ("eval", "expr", "取值表达式"),
    ("", "record", "数据:JSON 文件"),
    ("render", "record", "数据:JSON 文件(可多次给出,按 `operation` 分组)"),
    ("eval", "row", "所在的行:路径:序号,序号从 0 开始"),
    ("", "now", "CURRENT_TIME"),
    ("", "last_sync", "LAST_SYNC_TIME"),
    ("", "tz", "时区,默认 Asia/Shanghai"),
    ("eval", "ty", "字段类型"),
    ("eval", "parser", "字段解析器"),
    ("eval", "strict", "无法计算的函数视为错误"),
    ("", "batch", "改为读取 JSON 行;- 表示标准输入"),
    ("render", "metadata", "元数据文件"),
    ("render", "page", "页码"),
    ("records", "state", "只看该状态:waiting queued written filtered rejected failed in_doubt"),
    ("", "id", "只看该 id"),
    ("trace", "id", "数据的 id"),
    ("calls", "id", "完整显示该调用"),
    ("records", "number", "只看该编号"),
    ("records", "limit", "最多列出这么多条(0 为全部);默认 100,使用 --json 时为全部"),
    ("calls", "limit", "最多列出这么多条(0 为全部);默认 50,使用 --json 时为全部"),
    ("", "run", "只看该运行"),
    ("calls", "curl", "以 curl 命令显示"),
    ("retry", "state", "failed、in_doubt,或 written(修改映射之后)"),
    ("retry", "filter", "只处理内容满足 字段=值 的数据(可多次给出,需全部满足)"),
    ("certificate", "run", "运行的 id"),
    ("token", "connector", "连接器"),
    ("token", "refresh", "立即刷新"),
    ("", "name", "名称"),
    ("serve", "listen", "健康检查页的地址,仅限本机,例如 127.0.0.1:8800;默认不监听"),
    ("serve", "headless", "仅调度与执行,不含控制台"),
    (
        "sandbox",
        "platform",
        "平台:jushuitan(聚水潭)、kuaimai、okki、kingdee、yonyou、dingtalk、wecom、qeasy-open,或 bench(快速的普通来源)",
    ),
    ("sandbox", "listen", "监听地址"),
    ("sandbox", "records", "数据条数"),
    ("sandbox", "seed", "数据与故障的随机种子"),
    ("sandbox", "faults", "故障,以逗号分隔:名称、名称:概率、名称@第几次、名称@从-到;可用的故障见下"),
    ("sandbox", "latency", "每次响应的延迟(毫秒)"),
    ("sandbox", "limit_rps", "每秒请求上限,每分钟为其 60 倍;0 为不限;默认取平台公布的限额"),
    ("platforms", "name", "完整显示一个平台"),
    ("platforms new", "name", "名称"),
    ("platforms test", "file", "平台清单文件"),
    ("explain", "code", "代码,例如 HL-3001"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(c: &Command, path: &str, missing: &mut Vec<String>) {
        for a in c.get_arguments() {
            let id = a.get_id().as_str();
            if !ARGS.iter().any(|(at, name, _)| *name == id && (at.is_empty() || *at == path)) {
                missing.push(format!("{path} {id}"));
            }
        }
        for s in c.get_subcommands() {
            let path = format!("{path} {}", s.get_name()).trim().to_owned();
            if !ABOUT.iter().any(|(n, _)| *n == path) {
                missing.push(path.clone());
            }
            walk(s, &path, missing);
        }
    }

    #[test]
    fn every_command_and_argument_has_a_chinese_text() {
        let mut missing = Vec::new();
        walk(&Cli::command(), "", &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
        command(Lang::Zh).debug_assert();
        command(Lang::En).debug_assert();
    }
}
