//! A TCP proxy in front of a MySQL server that cuts, or holds back, exactly where a test wants it.
//!
//! It follows the protocol just far enough to know which command a client sends: the length of each packet, its first
//! byte, and which prepared statements write.

use std::collections::HashSet;
use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
/// So much of a statement is looked at.
const HEAD: usize = 64;

/// A command of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// A prepared `INSERT` or `REPLACE` is executed.
    Write,
    /// Any prepared statement is executed.
    Execute,
    /// `COMMIT`.
    Commit,
}

/// What happens to the command and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The server never sees it; the client waits for ever.
    HoldBefore,
    /// The server has done it; the client waits for the answer for ever.
    HoldAfter,
    /// The server never sees it; both connections end.
    CutBefore,
    /// The server has done it; both connections end without the answer.
    CutAfter,
    /// Nothing; whoever waits for it is told once the answer has been passed on.
    Tell,
}

/// Springs once, at the `nth` such command (from 1) since it was set.
#[derive(Debug, Clone, Copy)]
pub struct Trap {
    /// At which command.
    pub at: Sent,
    /// At which of them.
    pub nth: u64,
    /// What happens.
    pub then: Then,
}

#[derive(Default)]
struct State {
    trap: Option<Trap>,
    seen: u64,
}

struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    sprung: watch::Sender<u64>,
}

/// The proxy. It ends with the value; connections end with it.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    accept: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Listens on a port of its own for connections to `port` of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(port: u16) -> Result<Proxy> {
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { upstream, state: Mutex::default(), sprung: watch::Sender::new(0) });
        let kept = shared.clone();
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(converse(client, kept.clone()));
            }
        });
        Ok(Proxy { shared, port, accept })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets a trap, or takes it away.
    pub fn set(&self, trap: Option<Trap>) {
        *lock(&self.shared.state) = State { trap, seen: 0 };
    }

    /// How often a trap has sprung.
    pub fn sprung(&self) -> u64 {
        *self.shared.sprung.borrow()
    }

    /// Waits until a trap has sprung more than `before` times.
    pub async fn springs(&self, before: u64) {
        // The sender lives as long as the proxy does.
        let _ = self.shared.sprung.subscribe().wait_for(|n| *n > before).await;
    }
}

/// What a connection's two directions share.
#[derive(Default)]
struct Talk {
    /// The statement being prepared writes.
    preparing: bool,
    writing: HashSet<u32>,
    /// The answer to the command under way meets this.
    caught: Option<Then>,
}

async fn converse(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let talk = Arc::new(Mutex::new(Talk::default()));
    // Whichever side ends first ends both.
    tokio::select! {
        () = commands(from_client, to_server, &shared, &talk) => {}
        () = answers(from_server, to_client, &shared, &talk) => {}
    }
}

/// Client to server.
async fn commands(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, talk: &Mutex<Talk>) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 64 << 10];
    while let Some(chunk) = some(&mut from, &mut buffer).await {
        let then = frames.feed(chunk).into_iter().fold(None, |then, head| then.or(meet(&head, shared, talk)));
        match then {
            Some(Then::CutBefore) => {
                tell(shared);
                return;
            }
            Some(Then::HoldBefore) => {
                tell(shared);
                // Until the client goes away.
                while some(&mut from, &mut buffer).await.is_some() {}
                return;
            }
            None => {}
            after => lock(talk).caught = after,
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
}

/// Server to client.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, talk: &Mutex<Talk>) {
    let mut buffer = vec![0; 64 << 10];
    while let Some(chunk) = some(&mut from, &mut buffer).await {
        let caught = {
            let mut talk = lock(talk);
            if std::mem::take(&mut talk.preparing)
                && let [_, _, _, _, 0, a, b, c, d, ..] = chunk
            {
                talk.writing.insert(u32::from_le_bytes([*a, *b, *c, *d]));
            }
            talk.caught.take()
        };
        match caught {
            Some(Then::CutAfter) => {
                tell(shared);
                return;
            }
            Some(Then::HoldAfter) => {
                tell(shared);
                // Until one of them goes away; the other direction sees the client.
                while some(&mut from, &mut buffer).await.is_some() {}
                return;
            }
            _ => {}
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
        if caught == Some(Then::Tell) {
            tell(shared);
        }
    }
}

fn tell(shared: &Shared) {
    shared.sprung.send_modify(|n| *n += 1);
}

async fn some<'a>(from: &mut OwnedReadHalf, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let n = from.read(buffer).await.ok().filter(|n| *n > 0)?;
    buffer.get(..n)
}

/// Does this command spring the trap?
fn meet(head: &[u8], shared: &Shared, talk: &Mutex<Talk>) -> Option<Then> {
    let (command, rest) = head.split_first()?;
    let words = String::from_utf8_lossy(rest).trim_start().to_ascii_uppercase();
    let writes = words.starts_with("INSERT") || words.starts_with("REPLACE");
    let mut talk = lock(talk);
    let sent = match *command {
        PREPARE => {
            talk.preparing = writes;
            return None;
        }
        EXECUTE => match rest {
            [a, b, c, d, ..] if talk.writing.contains(&u32::from_le_bytes([*a, *b, *c, *d])) => {
                [Some(Sent::Write), Some(Sent::Execute)]
            }
            _ => [None, Some(Sent::Execute)],
        },
        QUERY if words.starts_with("COMMIT") => [None, Some(Sent::Commit)],
        _ => return None,
    };
    let mut state = lock(&shared.state);
    let trap = state.trap.filter(|t| sent.contains(&Some(t.at)))?;
    state.seen += 1;
    (state.seen == trap.nth).then(|| {
        state.trap = None;
        trap.then
    })
}

/// Finds the beginnings of commands in a stream of packets.
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    /// Bytes of the packet that are still to come.
    left: usize,
    head: Option<Vec<u8>>,
}

impl Frames {
    /// Heads of the commands that are complete enough to be known.
    fn feed(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        while let Some((first, rest)) = bytes.split_first() {
            if self.left == 0 {
                self.header.push(*first);
                bytes = rest;
                if let [a, b, c, sequence] = self.header[..] {
                    self.header.clear();
                    self.left = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
                    // A command begins a conversation; other packets continue one.
                    self.head = (sequence == 0).then(Vec::new);
                }
                continue;
            }
            let (now, later) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= now.len();
            bytes = later;
            if let Some(head) = &mut self.head {
                head.extend_from_slice(&now[..now.len().min(HEAD - head.len())]);
                if head.len() == HEAD || self.left == 0 {
                    out.extend(self.head.take());
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let n = u32::try_from(payload.len()).expect("small").to_le_bytes();
        [&n[..3], &[sequence], payload].concat()
    }

    #[test]
    fn commands_are_found_however_the_stream_is_cut() {
        let long = [&[QUERY][..], &[b'x'; 200]].concat();
        let all =
            [packet(1, b"hello"), packet(0, b"\x03COMMIT"), packet(0, &long), packet(0, b"\x17\x07\0\0\0")];
        let stream = all.concat();
        for size in [1, 3, 7, 64, 1_000] {
            let mut frames = Frames::default();
            let heads: Vec<Vec<u8>> = stream.chunks(size).flat_map(|c| frames.feed(c)).collect();
            assert_eq!(heads, [b"\x03COMMIT".to_vec(), long[..HEAD].to_vec(), b"\x17\x07\0\0\0".to_vec()]);
        }
    }
}
