//! The health page: `GET /health`, on this machine only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use heliu_model::{Class, Failure, text};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::live::Live;
use super::report::Report;
use crate::output::Stop;

#[derive(Clone)]
struct Page {
    report: Arc<Report>,
    live: Arc<Live>,
}

/// Listens on an address of this machine.
///
/// # Errors
/// The address cannot be read, belongs to the outside, or cannot be listened on.
pub async fn bind(address: &str) -> Result<TcpListener, Stop> {
    let bad = |en: &str, zh: &str| {
        let (address, en, zh) = (address.to_owned(), en.to_owned(), zh.to_owned());
        Failure::config("HL-8003", text!("cannot listen on `{address}`: {en}", "无法监听 `{address}`:{zh}"))
            .at("--listen")
            .hint(text!("give an address such as 127.0.0.1:8800", "请使用例如 127.0.0.1:8800 的地址"))
    };
    let named = address.replace("localhost:", "127.0.0.1:");
    let named: SocketAddr =
        named.parse().map_err(|_| bad("it is no address with a port", "不是带端口的地址"))?;
    let here = match named.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    };
    if !here {
        let (en, zh) = (
            "without a console there is no log-in: only addresses of this machine are allowed",
            "没有控制台即没有登录,只允许本机地址",
        );
        return Err(bad(en, zh).into());
    }
    // A sound address that is taken is no fault of the command line.
    TcpListener::bind(named).await.map_err(|e| {
        let said = bad(&e.to_string(), &e.to_string());
        Failure { class: Class::Transient, ..said }.into()
    })
}

/// Answers until the service ends.
pub async fn serve(listener: TcpListener, report: Arc<Report>, live: Arc<Live>) {
    let routes = Router::new().route("/health", get(health)).with_state(Page { report, live });
    if let Err(e) = axum::serve(listener, routes).await {
        tracing::error!(target: "heliu", event = "health_ended", "{e}");
    }
}

async fn health(State(page): State<Page>) -> ([(&'static str, &'static str); 1], String) {
    let generation = page.live.generation();
    let mut figures = page.report.figures();
    if let Value::Object(map) = &mut figures {
        map.insert("status".into(), "ok".into());
        map.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        map.insert("plans".into(), json!(generation.app.project.plan_names().len()));
    }
    ([("content-type", "application/json")], figures.to_string())
}
