//! The connection: HTTP by hyper, and below it the power to reset it or to cut a body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Whole and at once.
    Whole,
    /// Whole, after a wait.
    Late(Duration),
    /// Half of the body, then the connection ends.
    Cut,
    /// Nothing: the connection is reset.
    Reset,
    /// Nothing, for as long as the client waits.
    Never,
}

/// What a stand-in answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) retry_after: Option<u32>,
    pub(crate) is_gzip: bool,
    pub(crate) delivery: Delivery,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The content type of the platform's answers.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
/// The content type of a gateway's answers.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Answer {
            status,
            content_type,
            body,
            retry_after: None,
            is_gzip: false,
            delivery: Delivery::Whole,
            headers: Vec::new(),
        }
    }

    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Answer::new(200, JSON, body)
    }
}

/// A body that may end too early.
pub(crate) struct Parcel {
    left: Option<Bytes>,
    declared: u64,
    /// Polls to answer with "wait" after the data and before the end, so that what was written leaves the buffer.
    pauses: u8,
    is_cut: bool,
}

impl Parcel {
    pub(crate) fn whole(body: Bytes) -> Self {
        Parcel { declared: body.len() as u64, left: Some(body), pauses: 0, is_cut: false }
    }

    pub(crate) fn half(body: &Bytes) -> Self {
        let half = body.slice(..body.len() / 2);
        Parcel { declared: body.len() as u64, left: Some(half), pauses: 3, is_cut: true }
    }
}

impl Body for Parcel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(data) = self.left.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.pauses > 0 {
            self.pauses -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.is_cut.then(|| Err(io::Error::from(io::ErrorKind::ConnectionAborted))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared)
    }
}

/// Tells a connection to end with a reset instead of a farewell.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResetSwitch(Arc<AtomicBool>);

impl ResetSwitch {
    pub(crate) fn pull(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A TCP stream that can end with a reset.
pub(crate) struct Wire {
    io: TokioIo<TcpStream>,
    reset: ResetSwitch,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, reset: ResetSwitch) -> Self {
        Wire { io: TokioIo::new(stream), reset }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::SeqCst) {
            // With no time to linger the kernel sends RST on close; without it, FIN, as any end.
            let _ = self.io.inner().set_zero_linger();
        }
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
