//! Connections to MySQL and MariaDB: what a connector says about them, opening, testing.

use std::time::Duration;

use heliu_model::{ConnectorSpec, Failure, Problem, Text, text};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, SslOpts};

use super::errors::failure;

/// Settings of a connector (interface §2.1), and the older name of one.
pub(crate) const SETTINGS: &[&str] = &[
    "dsn",
    "host",
    "port",
    "database",
    "username",
    "user",
    "password",
    "charset",
    "pool_size",
    "use_ssl",
    "ssl_ca",
];

/// Character sets that hold all of Unicode: heliu always speaks `utf8mb4`, the server converts for its tables.
const FULL: &[&str] = &["utf8mb4", "utf8", "utf8mb3"];
/// Others that a MySQL connector may name.
const CHARSETS: &[&str] = &[
    "gbk", "gb2312", "gb18030", "big5", "latin1", "ascii", "binary", "ucs2", "utf16", "utf32", "sjis",
    "euckr",
];

/// Parameters of addresses that other programs understand and that change nothing here.
const IGNORED: &[&str] = &[
    "charset",
    "characterEncoding",
    "useUnicode",
    "serverTimezone",
    "parseTime",
    "loc",
    "timeout",
    "collation",
    "allowPublicKeyRetrieval",
    "autoReconnect",
    "zeroDateTimeBehavior",
    "rewriteBatchedStatements",
    "useAffectedRows",
];
/// Parameters of addresses that ask for TLS.
const TLS: &[&str] = &["ssl-mode", "sslMode", "sslmode", "useSSL", "use_ssl", "ssl", "tls", "require_ssl"];

/// Where the database is, for people.
pub(in crate::sql) fn place(spec: &ConnectorSpec) -> String {
    match options(spec) {
        Ok(o) => format!("mysql://{}:{}/{}", o.ip_or_hostname(), o.tcp_port(), o.db_name().unwrap_or("")),
        Err(_) => format!("connectors/{}", spec.name),
    }
}

/// What is wrong with a connector, as far as can be seen without connecting.
pub(crate) fn check(spec: &ConnectorSpec) -> Vec<Problem> {
    read(spec).1
}

fn options(spec: &ConnectorSpec) -> Result<Opts, Failure> {
    let (builder, problems) = read(spec);
    match problems.into_iter().find(|p| p.severity == heliu_model::Severity::Error) {
        None => Ok(builder.into()),
        Some(p) => Err(Failure::config(&p.code, p.message)
            .at(format!("connectors/{}: {}", spec.name, p.path))
            .hint(p.hint)),
    }
}

fn wrong(key: &str, message: Text) -> Problem {
    Problem::error("HL-5021", key, message)
}

/// `true` and `false` as connectors and addresses write them.
fn flag(words: &str) -> Option<bool> {
    match words.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "require" | "required" | "verify_ca" | "verify_identity"
        | "verify-full" => Some(true),
        "" | "false" | "0" | "no" | "off" | "disable" | "disabled" | "prefer" | "preferred" => Some(false),
        _ => None,
    }
}

/// The address without its parameters, and whether these ask for TLS.
fn address(dsn: &str, problems: &mut Vec<Problem>) -> (String, bool) {
    // `mariadb://` names the same protocol.
    let dsn = match dsn.strip_prefix("mariadb://") {
        Some(rest) => format!("mysql://{rest}"),
        None => dsn.to_owned(),
    };
    let Some((base, query)) = dsn.split_once('?') else { return (dsn, false) };
    let mut tls = false;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if TLS.contains(&key.as_ref()) {
            tls |= flag(&value) == Some(true);
        } else if !IGNORED.contains(&key.as_ref()) {
            let near = heliu_transform::nearest(&key, SETTINGS.iter().copied()).unwrap_or("-").to_owned();
            problems.push(
                wrong("dsn", text!("`dsn` has an unknown parameter `{key}`", "`dsn` 中有未知的参数 `{key}`"))
                    .hint(text!(
                        "leave it out; settings such as `{near}` stand on lines of their own",
                        "请删除;`{near}` 等设置应单独成行"
                    )),
            );
        }
    }
    (base.to_owned(), tls)
}

fn read(spec: &ConnectorSpec) -> (OptsBuilder, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut builder = OptsBuilder::default();
    let mut tls = false;
    match spec.setting("dsn") {
        Some(dsn) => {
            let (base, asks) = address(&dsn, &mut problems);
            tls = asks;
            match Opts::from_url(&base) {
                Ok(opts) => builder = OptsBuilder::from_opts(opts),
                // The words of a parse error may hold the password.
                Err(_) => problems.push(
                    wrong("dsn", text!("`dsn` cannot be read", "`dsn` 无法识别")).hint(text!(
                        "write `mysql://user:password@host:3306/database`, with `@ : / ? # %` in names and passwords as `%40 %3A %2F %3F %23 %25`; or give host, port, database, username, password",
                        "请写成 `mysql://用户:密码@主机:3306/数据库`,其中用户名和密码里的 `@ : / ? # %` 写作 `%40 %3A %2F %3F %23 %25`;或分别填写 host、port、database、username、password"
                    )),
                ),
            }
        }
        None if spec.setting("host").is_none() => problems.push(
            wrong("host", text!("neither `dsn` nor `host` is given", "没有填写 `dsn` 或 `host`")).hint(text!(
                "give `dsn = \"mysql://user:password@host:3306/database\"`, or host, port, database, username, password",
                "请填写 `dsn = \"mysql://用户:密码@主机:3306/数据库\"`,或分别填写 host、port、database、username、password"
            )),
        ),
        None => {}
    }
    // Parts beside an address replace its own: a password need not stand in it.
    if let Some(host) = spec.setting("host") {
        builder = builder.ip_or_hostname(host);
    }
    if let Some(port) = spec.setting("port") {
        match port.trim().parse::<u16>() {
            Ok(port) => builder = builder.tcp_port(port),
            Err(_) => problems.push(wrong("port", text!("`{port}` is no port", "`{port}` 不是端口"))),
        }
    }
    if let Some(user) = spec.setting("username").or_else(|| spec.setting("user")) {
        builder = builder.user(Some(user));
    }
    if let Some(password) = spec.setting("password") {
        builder = builder.pass(Some(password));
    }
    if let Some(database) = spec.setting("database") {
        builder = builder.db_name(Some(database));
    }
    if let Some(charset) = spec.setting("charset") {
        let name = charset.trim().to_ascii_lowercase();
        if CHARSETS.contains(&name.as_str()) {
            problems.push(Problem::warning(
                "HL-5021",
                "charset",
                text!(
                    "`charset = \"{charset}\"` has no effect: heliu speaks utf8mb4, and the server converts for its tables",
                    "`charset = \"{charset}\"` 不起作用:heliu 使用 utf8mb4,由服务器按表的字符集转换"
                ),
            ));
        } else if !FULL.contains(&name.as_str()) {
            problems.push(
                wrong("charset", text!("`{charset}` is no character set", "`{charset}` 不是字符集"))
                    .hint(text!("leave it out, or write `utf8mb4`", "请删除,或写 `utf8mb4`")),
            );
        }
    }
    let most = match spec.setting("pool_size") {
        None => 8,
        Some(size) => match size.trim().parse::<usize>().ok().filter(|n| (1..=1_000).contains(n)) {
            Some(n) => n,
            None => {
                problems.push(wrong(
                    "pool_size",
                    text!(
                        "`{size}` is no number of connections from 1 to 1000",
                        "`{size}` 不是 1 到 1000 的连接数"
                    ),
                ));
                8
            }
        },
    };
    match spec.setting("use_ssl").map(|words| (flag(&words), words)) {
        Some((None, words)) => problems.push(wrong(
            "use_ssl",
            text!(
                "`use_ssl` is `{words}`, it must be true or false",
                "`use_ssl` 的值为 `{words}`,应为 true 或 false"
            ),
        )),
        Some((Some(asks), _)) => tls = asks,
        None => {}
    }
    if tls {
        let mut ssl = SslOpts::default();
        if let Some(ca) = spec.setting("ssl_ca") {
            let path = spec.project.join(&ca);
            if path.is_file() {
                ssl = ssl.with_root_certs(vec![path.into()]);
            } else {
                problems.push(wrong("ssl_ca", text!("there is no file `{ca}`", "文件 `{ca}` 不存在")).hint(
                    text!(
                        "give the authority's certificate (PEM), relative to the project",
                        "请填写证书颁发机构的证书文件(PEM),路径相对于项目目录"
                    ),
                ));
            }
        }
        builder = builder.ssl_opts(Some(ssl));
    }
    let zone = spec.timezone.unwrap_or(chrono_tz::Asia::Shanghai);
    let mut setup = vec!["SET NAMES utf8mb4".to_owned()];
    setup.push(match session_zone(zone) {
        Ok(offset) => format!("SET time_zone = '{offset}'"),
        // The server knows names of zones only when its tables of them were filled: otherwise it keeps its own.
        Err(name) => format!(
            "SET time_zone = IF(CONVERT_TZ('2024-01-01', '+00:00', '{name}') IS NULL, @@SESSION.time_zone, '{name}')"
        ),
    });
    // A plan needs a connection for each writer and one to look at the table.
    let pool = PoolConstraints::new(0, most.max(3)).unwrap_or_default();
    let builder = builder
        .pool_opts(PoolOpts::default().with_constraints(pool).with_reset_connection(false))
        .stmt_cache_size(64)
        .tcp_nodelay(true)
        .setup(setup)
        // The socket of the server named by host and port only; never a local one found by itself.
        .prefer_socket(false);
    (builder, problems)
}

/// What a session is told of a zone: `+08:00` for one without clock changes, else its name as an error: not every
/// server knows it.
pub(in crate::sql) fn session_zone(zone: chrono_tz::Tz) -> Result<String, &'static str> {
    use chrono::{Offset, TimeZone};
    let at =
        |m| zone.with_ymd_and_hms(2024, m, 15, 0, 0, 0).single().map(|t| t.offset().fix().local_minus_utc());
    match (at(1), at(7)) {
        (Some(winter), Some(summer)) if winter == summer => {
            let sign = if winter < 0 { '-' } else { '+' };
            Ok(format!("{sign}{:02}:{:02}", winter.abs() / 3600, winter.abs() / 60 % 60))
        }
        _ => Err(zone.name()),
    }
}

/// A pool of connections; none is opened yet.
pub(in crate::sql) fn pool(spec: &ConnectorSpec) -> Result<Pool, Failure> {
    Ok(Pool::new(options(spec)?))
}

/// A connection, within a time.
pub(in crate::sql) async fn connect(pool: &Pool, place: &str) -> Result<Conn, Failure> {
    match tokio::time::timeout(Duration::from_secs(10), pool.get_conn()).await {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(e)) => Err(failure(&e, place, false)),
        Err(_) => Err(Failure::transient(
            "HL-5020",
            text!("no database connection within 10 s", "10 秒内未能连接数据库"),
        )
        .at(place)),
    }
}

/// Connects and says what was found.
pub(in crate::sql) async fn test(spec: &ConnectorSpec) -> Result<Text, Failure> {
    let place = place(spec);
    let pool = pool(spec)?;
    let mut conn = connect(&pool, &place).await?;
    let version: Option<String> =
        conn.query_first("SELECT version()").await.map_err(|e| failure(&e, &place, false))?;
    let version = version.unwrap_or_default();
    drop(conn);
    let _ = pool.disconnect().await;
    Ok(text!("connected to {place}, server {version}", "已连接 {place},服务器版本 {version}"))
}
