//! What MySQL's errors mean (platform facts §4).

use heliu_model::{Class, Failure, text};
use mysql_async::Error;

/// Translates an error of a statement. `sent`: the statement may have run.
pub(in crate::sql) fn failure(e: &Error, place: &str, sent: bool) -> Failure {
    match e {
        Error::Server(s) => server(s.code, &s.message).at(place),
        // What a handshake of TLS says is no passing fault.
        Error::Io(io) if untrusted(&io.to_string()) => tls(io.to_string()).at(place),
        Error::Driver(d @ mysql_async::DriverError::NoClientSslFlagFromServer) => {
            tls(d.to_string()).at(place)
        }
        Error::Io(io) if io.to_string().contains("max_allowed_packet") => too_large().at(place),
        Error::Io(io) => {
            let why = io.to_string();
            let f = Failure::transient(
                "HL-5020",
                text!("the connection to the database was lost: {why}", "与数据库的连接中断:{why}"),
            )
            .at(place);
            if sent { f.in_doubt() } else { f.hint(reachable()) }
        }
        Error::Driver(d) => {
            let why = d.to_string();
            // Of a bulk command nothing else can be wrong: a row is larger than a packet may be.
            use mysql_async::DriverError::{BulkExecute, PacketTooLarge};
            if matches!(d, PacketTooLarge | BulkExecute(_)) || why.contains("too large") {
                return too_large().at(place);
            }
            let f = Failure::transient(
                "HL-5020",
                text!("the database connection failed: {why}", "数据库连接失败:{why}"),
            )
            .at(place);
            if sent { f.in_doubt() } else { f.hint(reachable()) }
        }
        other => {
            let why = other.to_string();
            Failure::config(
                "HL-5021",
                text!("the database connector is wrong: {why}", "数据库连接器配置有误:{why}"),
            )
            .at(place)
        }
    }
}

/// The statement as a whole is too large: halves of it may not be.
fn too_large() -> Failure {
    let mut f = Failure::data(
        "HL-5025",
        text!("the statement is larger than max_allowed_packet", "语句超过 max_allowed_packet"),
    )
    .hint(text!(
        "raise `max_allowed_packet` of the server for single rows of this size",
        "如单行就有这么大,请调大服务器的 `max_allowed_packet`"
    ));
    f.split = true;
    f
}

fn untrusted(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    ["certificate", "unknownissuer", "notvalidforname"].iter().any(|w| why.contains(w))
}

fn tls(why: String) -> Failure {
    Failure::config(
        "HL-5031",
        text!("the encrypted connection was refused: {why}", "加密连接被拒绝:{why}"),
    )
    .hint(text!(
        "give `ssl_ca` (the authority's certificate, PEM) and a host name that is in the server's certificate; or `use_ssl = false`",
        "请填写 `ssl_ca`(颁发机构的 PEM 证书),并使用服务器证书中的主机名;或设 `use_ssl = false`"
    ))
}

fn reachable() -> heliu_model::Text {
    text!(
        "check host, port and that the server runs; then run again",
        "请检查主机、端口以及数据库是否运行,然后重新运行"
    )
}

/// Class of a server error.
pub(in crate::sql) fn server(code: u16, message: &str) -> Failure {
    let said = message.to_owned();
    let words = text!("the database says ({code}): {said}", "数据库返回({code}):{said}");
    let failure = match code {
        1213 | 1205 => Failure::transient("HL-5022", words),
        1040 | 1203 | 1226 | 1053 | 1077 | 1079 | 2002 | 2003 | 2006 => Failure::transient("HL-5020", words),
        2013 | 1317 | 1927 => Failure::transient("HL-5020", words).in_doubt(),
        1153 | 1390 | 1301 => {
            let mut f = Failure::data("HL-5025", words);
            f.split = true;
            f
        }
        1062 | 1048 | 1264 | 1265 | 1292 | 1366 | 1367 | 1406 | 1451 | 1452 | 1364 | 1411 | 1690 | 1525
        | 3819 | 4025 | 1216 | 1217 | 1416 | 1441 | 1586 | 1644 | 3140 | 4078 | 1300 => {
            Failure::data("HL-5023", words)
        }
        1146 | 1051 => Failure::config("HL-5024", words)
            .hint(text!("make the table first; heliu never makes tables", "请先创建该表;heliu 不会自动建表")),
        1054 | 1136 | 1142 | 1064 | 1149 | 1305 => Failure::config("HL-5024", words)
            .hint(text!("correct `main_sql` or the table", "请修正 `main_sql` 或表结构")),
        1044 | 1045 | 1698 | 1227 | 1130 => Failure::config("HL-5026", words).hint(text!(
            "check user, password and grants of the connector",
            "请检查连接器的用户名、密码与授权"
        )),
        1049 => Failure::config("HL-5026", words).hint(text!("check the database's name", "请检查数据库名")),
        // Disk or table full: nothing is wrong with the data.
        1021 | 1114 | 1290 | 1836 => Failure::transient("HL-5022", words),
        _ => Failure::data("HL-5023", words),
    };
    failure.vendor(code.to_string())
}

/// True when the class says that the session is of no more use.
pub(in crate::sql) fn breaks_session(f: &Failure) -> bool {
    f.doubt || f.split || f.class == Class::Transient
}
