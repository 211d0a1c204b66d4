//! An HTTP target that counts: how often which record arrived, and with what.

use std::collections::BTreeMap;
use std::io::Result;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Default)]
struct State {
    got: BTreeMap<String, Vec<Value>>,
    /// Hold the so-manieth delivery from now on, before or after it was taken.
    hold: Option<(u64, bool)>,
}

struct Shared {
    state: Mutex<State>,
    held: watch::Sender<u64>,
}

/// The target. It ends with the value.
pub struct Recorder {
    shared: Arc<Shared>,
    url: String,
    server: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, record: Value) -> String {
        let id = match &record["id"] {
            Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        let (hold, taken) = {
            let mut state = self.state();
            let hold = match &mut state.hold {
                Some((1, after)) => Some(*after),
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            };
            if hold.is_some() {
                state.hold = None;
            }
            if hold != Some(false) {
                state.got.entry(id.clone()).or_default().push(record);
            }
            (hold, id)
        };
        if hold.is_some() {
            self.held.send_modify(|n| *n += 1);
            // Until the client goes away.
            std::future::pending::<()>().await;
        }
        json!({"code": 0, "data": {"id": taken}}).to_string()
    }
}

impl Recorder {
    /// Listens on a port of its own.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> Result<Recorder> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared { state: Mutex::default(), held: watch::Sender::new(0) });
        let kept = shared.clone();
        let app = axum::Router::new().fallback(move |body: String| {
            let shared = kept.clone();
            async move { shared.take(serde_json::from_str(&body).unwrap_or_default()).await }
        });
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Recorder { shared, url, server })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Holds the `nth` delivery from now on (from 1) for ever, before it is taken or after.
    pub fn hold(&self, nth: u64, after: bool) {
        self.shared.state().hold = Some((nth, after));
    }

    /// Holds nothing any more.
    pub fn release(&self) {
        self.shared.state().hold = None;
    }

    /// How many were held so far.
    pub fn held(&self) -> u64 {
        *self.shared.held.borrow()
    }

    /// Waits until more than `before` were held.
    pub async fn holds(&self, before: u64) {
        // The sender lives as long as the target does.
        let _ = self.shared.held.subscribe().wait_for(|n| *n > before).await;
    }

    /// Everything that was taken, by id.
    pub fn got(&self) -> BTreeMap<String, Vec<Value>> {
        self.shared.state().got.clone()
    }
}
