//! A running stand-in: the listener, its connections, and the handle that tests hold.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use heliu_transform::text;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::watch;

use crate::bench::Bench;
use crate::builder::Builder;
use crate::clock::Clock;
use crate::control;
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::jushuitan::{Call, Credentials, Jushuitan, Mutation};
use crate::known::{KNOWN, Known};
use crate::log::{Entry, Log, Times, Verdict};
use crate::other::{Other, Seen};
use crate::wire::{Answer, Delivery, JSON, Parcel, ResetSwitch, Wire};

/// Bodies above this are refused.
const MOST_BODY: usize = 8 << 20;

/// What answers behind the listener.
#[derive(Debug)]
pub(crate) enum StandIn {
    Jushuitan(Box<Jushuitan>),
    Bench(Bench),
    Other(Box<Other>),
}

/// What connections and the handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stand_in: StandIn,
    log: Mutex<Log>,
    pub(crate) clock: Clock,
    latency: Duration,
}

impl Shared {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stand-in that has credentials and data that change.
    pub(crate) fn platform(&self) -> Result<&Jushuitan, SandboxError> {
        match &self.stand_in {
            StandIn::Jushuitan(platform) => Ok(platform),
            StandIn::Bench(_) | StandIn::Other(_) => Err(SandboxError::new(
                SandboxError::BAD_CHANGE,
                text!(
                    "this sandbox cannot be changed in this way; `jushuitan` can",
                    "该沙箱不支持此操作；`jushuitan` 沙箱支持"
                ),
            )),
        }
    }

    pub(crate) fn account(&self) -> Vec<(&'static str, String)> {
        match &self.stand_in {
            StandIn::Jushuitan(p) => {
                let c = p.credentials();
                vec![
                    ("app_key", c.app_key),
                    ("app_secret", c.app_secret),
                    ("access_token", c.access_token),
                    ("refresh_token", c.refresh_token),
                ]
            }
            StandIn::Other(o) => o.account(),
            StandIn::Bench(_) => Vec::new(),
        }
    }

    pub(crate) fn expire_token(&self) -> Result<(), SandboxError> {
        match &self.stand_in {
            StandIn::Other(o) => {
                o.expire_token();
                Ok(())
            }
            _ => self.platform().map(Jushuitan::expire_token),
        }
    }

    pub(crate) fn revoke_refresh_token(&self) -> Result<(), SandboxError> {
        match &self.stand_in {
            StandIn::Other(o) => {
                o.revoke_refresh();
                Ok(())
            }
            _ => self.platform().map(Jushuitan::revoke_refresh_token),
        }
    }

    pub(crate) fn storm(&self, is_on: bool) -> Result<(), SandboxError> {
        match &self.stand_in {
            StandIn::Other(o) => {
                o.storm(is_on);
                Ok(())
            }
            _ => self.platform().map(|p| p.storm(is_on)),
        }
    }

    pub(crate) fn set_faults(&self, faults: &Faults) -> Result<(), SandboxError> {
        match &self.stand_in {
            StandIn::Other(o) => {
                o.set_faults(faults);
                Ok(())
            }
            _ => self.platform().map(|p| p.set_faults(faults)),
        }
    }

    pub(crate) fn verify(&self) -> Result<(), SandboxError> {
        let unmet = self.log().unmet();
        if unmet.is_empty() {
            return Ok(());
        }
        let lines = unmet.join("; ");
        Err(SandboxError::new(
            SandboxError::UNMET,
            text!("expected calls differ: {lines}", "与预期的调用不符：{lines}"),
        ))
    }

    /// The true orders (or the bench source's rows) by id.
    pub(crate) fn orders(&self) -> BTreeMap<i64, String> {
        let mut rows = BTreeMap::new();
        match &self.stand_in {
            StandIn::Jushuitan(p) => p.each_order(|id, row| drop(rows.insert(id, row))),
            StandIn::Bench(b) => b.each(|id, row| drop(rows.insert(id, row))),
            StandIn::Other(o) => rows.extend(
                o.truth("").into_iter().filter_map(|(id, row)| Some((id.parse().ok()?, row.to_string()))),
            ),
        }
        rows
    }
}

/// What is true at the moment: JSON texts exactly as they are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Outbound orders that exist, by `io_id`; the bench source's rows by `id`.
    pub orders: BTreeMap<i64, String>,
    /// Shops by `shop_id`.
    pub shops: BTreeMap<i64, String>,
    /// Uploaded orders by `shop_id/so_id`: `{"o_id":…,"times":…,"order":…}`.
    pub uploads: BTreeMap<String, serde_json::Value>,
}

/// A running stand-in. Dropping it ends it with all its connections.
#[derive(Debug)]
pub struct Sandbox {
    known: &'static Known,
    shared: Arc<Shared>,
    addr: SocketAddr,
    /// Dropped with the handle: tells the listener and the connections to end.
    _alive: watch::Sender<()>,
}

impl Sandbox {
    /// A stand-in of `platform` (one of [`Sandbox::known`]) to be set up and started.
    pub fn builder(platform: &str) -> Builder {
        Builder::new(platform)
    }

    /// The stand-ins there are.
    pub fn known() -> &'static [Known] {
        KNOWN
    }

    pub(crate) async fn start(
        known: &'static Known,
        stand_in: StandIn,
        clock: Clock,
        latency: Duration,
        addr: impl ToSocketAddrs + std::fmt::Display,
    ) -> Result<Self, SandboxError> {
        let shown = addr.to_string();
        let failed = |why: std::io::Error| {
            SandboxError::new(
                SandboxError::CANNOT_LISTEN,
                text!("cannot listen on `{shown}`: {why}", "无法监听 `{shown}`：{why}"),
            )
        };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared { stand_in, log: Mutex::default(), clock, latency });
        let (alive, ended) = watch::channel(());
        tokio::spawn(accept(listener, shared.clone(), ended));
        Ok(Sandbox { known, shared, addr, _alive: alive })
    }

    /// Which stand-in this is.
    pub fn platform(&self) -> &'static str {
        self.known.name
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://…` without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where a connector's `base_url` leads: the address, and the path that some platforms have behind it.
    pub fn connector_url(&self) -> String {
        match &self.shared.stand_in {
            StandIn::Other(o) => format!("{}{}", self.base_url(), o.base()),
            _ => self.base_url(),
        }
    }

    /// Credentials by the names that a connector file has for them, the newest tokens among them.
    pub fn account(&self) -> Vec<(&'static str, String)> {
        self.shared.account()
    }

    /// The application with the newest tokens, for platforms that have these four; empty texts for others.
    pub fn credentials(&self) -> Credentials {
        let all = self.account();
        let get = |n: &str| all.iter().find(|(k, _)| *k == n).map(|(_, v)| v.clone()).unwrap_or_default();
        Credentials {
            app_key: get("app_key"),
            app_secret: get("app_secret"),
            access_token: get("access_token"),
            refresh_token: get("refresh_token"),
        }
    }

    /// What is true now of a stand-in beside 聚水潭, by id. `of` names another data set than the main one (`saved`,
    /// `messages`, `robot`).
    pub fn records(&self, of: &str) -> BTreeMap<String, serde_json::Value> {
        match &self.shared.stand_in {
            StandIn::Other(o) => o.truth(of),
            _ => BTreeMap::new(),
        }
    }

    /// All calls so far (the newest 200 000).
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log().since(0)
    }

    /// Calls with a sequence number above `after`.
    pub fn log_since(&self, after: u64) -> Vec<Entry> {
        self.shared.log().since(after)
    }

    /// Number of calls so far.
    pub fn calls(&self) -> u64 {
        self.shared.log().total()
    }

    /// What a complete and exact copy holds now.
    pub fn truth(&self) -> Truth {
        let (shops, uploads) = match &self.shared.stand_in {
            StandIn::Jushuitan(platform) => (platform.shops(), platform.uploads()),
            _ => Default::default(),
        };
        Truth { orders: self.shared.orders(), shops, uploads }
    }

    /// Visits every true order (or bench row) as id and JSON text, without holding them all.
    pub fn each_order(&self, mut visit: impl FnMut(i64, String)) {
        match &self.shared.stand_in {
            StandIn::Jushuitan(platform) => platform.each_order(visit),
            StandIn::Bench(bench) => bench.each(visit),
            StandIn::Other(_) => self.shared.orders().into_iter().for_each(|(id, row)| visit(id, row)),
        }
    }

    /// Expects calls of a path from now on, whatever becomes of them. [`Sandbox::verify`] tells whether they came; if it
    /// is never asked, dropping the handle panics.
    pub fn expect(&self, path: &str, times: impl Into<Times>) {
        self.shared.log().expect(path, None, times.into());
    }

    /// Expects calls of a path with this verdict from now on.
    pub fn expect_verdict(&self, path: &str, verdict: Verdict, times: impl Into<Times>) {
        self.shared.log().expect(path, Some(verdict), times.into());
    }

    /// Checks all expectations.
    ///
    /// # Errors
    /// `HL-8005` with every expectation that is not met.
    pub fn verify(&self) -> Result<(), SandboxError> {
        self.shared.verify()
    }

    /// Changes the data; gives the id of the row.
    ///
    /// # Errors
    /// `HL-8004` for an unknown row, a stamp that is no time, or the bench source.
    pub fn mutate(&self, mutation: Mutation) -> Result<i64, SandboxError> {
        self.shared.platform()?.mutate(mutation)
    }

    /// Ends the life of all access tokens; refresh tokens stay.
    ///
    /// # Errors
    /// `HL-8004` for the bench source; likewise below.
    pub fn expire_token(&self) -> Result<(), SandboxError> {
        self.shared.expire_token()
    }

    /// Ends the life of all refresh tokens; access tokens stay.
    ///
    /// # Errors
    /// `HL-8004` for the bench source.
    pub fn revoke_refresh_token(&self) -> Result<(), SandboxError> {
        self.shared.revoke_refresh_token()
    }

    /// Throttles every business call until switched off.
    ///
    /// # Errors
    /// `HL-8004` for the bench source.
    pub fn storm(&self, is_on: bool) -> Result<(), SandboxError> {
        self.shared.storm(is_on)
    }

    /// Lets several outbound documents share one order number.
    ///
    /// # Errors
    /// `HL-8004` for the bench source.
    pub fn collide(&self, is_on: bool) -> Result<(), SandboxError> {
        self.shared.platform().map(|p| p.collide(is_on))
    }

    /// Replaces the fault list; its counts start anew.
    ///
    /// # Errors
    /// `HL-8004` for the bench source.
    pub fn set_faults(&self, faults: &Faults) -> Result<(), SandboxError> {
        self.shared.set_faults(faults)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A test that declares expectations and forgets to look at them must not pass.
        if self.shared.log().is_unlooked() && !std::thread::panicking() {
            let verdict = self.shared.verify();
            assert!(verdict.is_ok(), "{verdict:?}");
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut ended: watch::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ended.changed() => return,
        };
        // A connection that broke before it was accepted is the client's affair.
        let Ok((stream, peer)) = accepted else { continue };
        tokio::spawn(converse(stream, peer.ip(), shared.clone(), ended.clone()));
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>, mut ended: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let reset = ResetSwitch::default();
    let wire = Wire::new(stream, reset.clone());
    let service = service_fn(move |request| respond(request, peer, shared.clone(), reset.clone()));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(wire, service);
    tokio::select! {
        // Broken on purpose or by the client: nothing to tell anyone.
        _ = connection => {}
        _ = ended.changed() => {}
    }
}

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection reset on purpose")]
struct OnPurpose;

async fn respond(
    request: Request<Incoming>,
    peer: IpAddr,
    shared: Arc<Shared>,
    reset: ResetSwitch,
) -> Result<Response<Parcel>, OnPurpose> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BODY).collect().await.map(|b| b.to_bytes()) else {
        return Ok(dress(Answer::new(413, JSON, r#"{"code":130,"msg":"body too large"}"#)));
    };
    let text_of =
        |name| head.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
    let (method, path) = (head.method.as_str(), head.uri.path());
    if let Some(command) = path.strip_prefix("/_sandbox/") {
        return Ok(dress(control::answer(&shared, method, command, head.uri.query(), &body)));
    }
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let (answer, entry) = match &shared.stand_in {
        StandIn::Jushuitan(platform) => platform.answer(&Call {
            method,
            path,
            content_type: text_of(header::CONTENT_TYPE),
            accepts_gzip: text_of(header::ACCEPT_ENCODING).contains("gzip"),
            body: &body,
            peer,
        }),
        StandIn::Bench(bench) => bench.answer(method, path, head.uri.query().unwrap_or_default()),
        StandIn::Other(other) => {
            let headers = head
                .headers
                .iter()
                .map(|(k, v)| (k.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                .collect();
            other.answer(Seen::new(method, path, head.uri.query().unwrap_or_default(), headers, &body))
        }
    };
    shared.log().push(entry);
    match answer.delivery {
        Delivery::Reset => {
            reset.pull();
            return Err(OnPurpose);
        }
        Delivery::Never => match std::future::pending::<Infallible>().await {},
        Delivery::Late(wait) => tokio::time::sleep(wait).await,
        Delivery::Whole | Delivery::Cut => {}
    }
    let mut response = dress(answer);
    // The platform's own clock, as whoever measures clocks sees it.
    let date = shared.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    Ok(response)
}

fn dress(answer: Answer) -> Response<Parcel> {
    let packed = if answer.is_gzip { gzip(&answer.body) } else { None };
    let is_packed = packed.is_some();
    let body = packed.unwrap_or(answer.body);
    let parcel = if answer.delivery == Delivery::Cut { Parcel::half(&body) } else { Parcel::whole(body) };
    let mut response = Response::new(parcel);
    if let Ok(status) = hyper::StatusCode::from_u16(answer.status) {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if is_packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(*name, value);
        }
    }
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(body).ok()?;
    packer.finish().ok().map(Bytes::from)
}
