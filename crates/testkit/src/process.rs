//! A process that can die, or stand still, at any call of a port.

use std::sync::Arc;
use std::task::Waker;

use async_trait::async_trait;
use heliu_model::Failure;

use crate::fake::{Shared, shared, with};
use crate::through::Gate;

/// Where a call of a port can be cut: before it has any effect, or before its answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and nobody knows.
    After,
}

/// One life of a process: all its port calls pass here.
pub struct Process {
    inner: Shared<Inner>,
}

#[derive(Default)]
struct Inner {
    passed: usize,
    log: Vec<(&'static str, Side)>,
    die: Option<usize>,
    halt: Option<usize>,
    dead: bool,
    halted: bool,
    waker: Option<Waker>,
    /// Whoever waits for it to go on, in order: nothing here may depend on chance.
    waiting: Vec<Waker>,
}

impl Process {
    /// A process that lives.
    pub fn new() -> Arc<Process> {
        Arc::new(Process { inner: shared(Inner::default()) })
    }

    /// A process that dies at the `n`th passage of a gate (from 0; each call has two).
    pub fn dying(n: usize) -> Arc<Process> {
        let process = Process::new();
        with(&process.inner, |i| i.die = Some(n));
        process
    }

    /// A process that stands still at the `n`th passage until [`Process::go_on`].
    pub fn halting(n: usize) -> Arc<Process> {
        let process = Process::new();
        with(&process.inner, |i| i.halt = Some(n));
        process
    }

    /// Lets a halted process go on.
    pub fn go_on(&self) {
        let waiting = with(&self.inner, |i| {
            (i.halt, i.halted) = (None, false);
            std::mem::take(&mut i.waiting)
        });
        waiting.into_iter().for_each(Waker::wake);
    }

    /// It stands still.
    pub fn halted(&self) -> bool {
        with(&self.inner, |i| i.halted)
    }

    /// Passages so far.
    pub fn passed(&self) -> usize {
        with(&self.inner, |i| i.passed)
    }

    /// The call at which it was cut, or the last one.
    pub fn last(&self) -> Option<(&'static str, Side)> {
        with(&self.inner, |i| i.log.last().copied())
    }

    /// Names of the calls so far, each once or more.
    pub fn ops(&self) -> Vec<&'static str> {
        with(&self.inner, |i| i.log.iter().map(|l| l.0).collect())
    }

    /// It has died.
    pub fn dead(&self) -> bool {
        with(&self.inner, |i| i.dead)
    }

    /// Runs `future` as this process's main task; `None` when the process died first.
    pub async fn live<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = Box::pin(future);
        std::future::poll_fn(|cx| {
            if with(&self.inner, |i| {
                i.waker = Some(cx.waker().clone());
                i.dead
            }) {
                return std::task::Poll::Ready(None);
            }
            let polled = future.as_mut().poll(cx).map(Some);
            // It may have died while it was polled.
            if self.dead() { std::task::Poll::Ready(None) } else { polled }
        })
        .await
    }

    async fn pass(&self, op: &'static str, side: Side) {
        let cut = with(&self.inner, |i| {
            if i.dead {
                return true;
            }
            i.log.push((op, side));
            i.dead = i.die == Some(i.passed);
            i.halted |= i.halt.is_some_and(|n| i.passed >= n);
            i.passed += 1;
            if i.dead
                && let Some(waker) = i.waker.take()
            {
                waker.wake();
            }
            i.dead
        });
        if cut {
            // What is dead takes no further step.
            std::future::pending::<()>().await;
        }
        std::future::poll_fn(|cx| {
            with(&self.inner, |i| {
                if !i.halted {
                    return std::task::Poll::Ready(());
                }
                i.waiting.push(cx.waker().clone());
                std::task::Poll::Pending
            })
        })
        .await;
    }
}

#[async_trait]
impl Gate for Process {
    async fn before(&self, op: &'static str) -> Result<(), Failure> {
        self.pass(op, Side::Before).await;
        Ok(())
    }

    async fn after(&self, op: &'static str) -> Result<(), Failure> {
        self.pass(op, Side::After).await;
        Ok(())
    }
}
